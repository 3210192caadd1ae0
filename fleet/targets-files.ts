import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EngineTarget, TargetsFile } from "../core/targets.ts";
import type { FleetSettings } from "./config.ts";
import type { FleetClock } from "./clock.ts";
import type { LiveReplica } from "./registry.ts";

export interface TargetsParts {
  readonly settings: FleetSettings;
  readonly clock: FleetClock;
  /** Base URL of the control server. */
  readonly base: string;
  readonly frontendPod: string;
}

export const targetsPath = (runDir: string, node: string): string => join(runDir, `targets-${node}.json`);

/** What an agent on each node has to read now. Engines that do not serve yet have no address and are left out. */
export function describeTargets(parts: TargetsParts, live: readonly LiveReplica[], leaving: readonly LiveReplica[]): TargetsFile[] {
  const { settings, base } = parts;
  return settings.nodes.map(({ name }, index) => ({
    node: name,
    engines: [
      ...(index === 0 ? [frontendTarget(parts)] : []),
      ...[...live, ...leaving].filter((replica) => replica.placement.node === name).flatMap((replica) => engineTarget(parts, replica)),
    ],
    gpus: [{ url: `${base}/nodes/${name}/metrics` }],
  }));
}

function engineTarget({ settings, clock }: TargetsParts, replica: LiveReplica): EngineTarget[] {
  const port = replica.process.port();
  if (port === undefined) return [];
  return [
    {
      url: `http://${settings.host}:${port}/metrics`,
      namespace: settings.namespace,
      pod: replica.pod,
      pool: replica.role,
      role: replica.role,
      model: settings.model,
      engine: settings.engine,
      phase: replica.phase,
      startedAt: clock.wall(replica.createdAt),
      instance: replica.pod,
    },
  ];
}

/** The frontend stands on the first node and needs no GPU. */
function frontendTarget({ settings, clock, base, frontendPod }: TargetsParts): EngineTarget {
  return {
    url: `${base}/frontend/metrics`,
    namespace: settings.namespace,
    pod: frontendPod,
    pool: "frontend",
    role: "frontend",
    model: settings.model,
    engine: "dynamo-frontend",
    phase: "ready",
    startedAt: clock.wall(0),
  };
}

export interface TargetsWriter {
  /** Writes every file anew; calls while one is being written are joined into one more. */
  write(files: readonly TargetsFile[]): Promise<void>;
}

export function createTargetsWriter(runDir: string): TargetsWriter {
  let busy: Promise<void> | undefined;
  let next: readonly TargetsFile[] | undefined;
  const drain = async (): Promise<void> => {
    for (let files = next; files !== undefined; files = next) {
      next = undefined;
      await Promise.all(files.map((file) => writeAtomically(targetsPath(runDir, file.node), file)));
    }
    busy = undefined;
  };
  return {
    write(files) {
      next = files;
      busy ??= drain();
      return busy;
    },
  };
}

/** A reader sees the old file or the new one, never half of it. */
async function writeAtomically(path: string, file: TargetsFile): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, `${JSON.stringify(file, null, 2)}\n`);
  await rename(draft, path);
}
