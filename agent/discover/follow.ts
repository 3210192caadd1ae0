import { type Unattributed, UNATTRIBUTED_REASONS } from "../../core/discover/attribute.ts";
import type { Merged } from "../../core/discover/merge.ts";
import type { TargetsFile } from "../../core/targets.ts";
import type { SourceReport } from "../../wire/messages.ts";
import type { AgentSettings } from "../config.ts";
import type { Log } from "../log.ts";
import { type Health, down, unknown, up } from "../scrape/health.ts";
import { sleep } from "../scrape/schedule.ts";
import { sourceReport } from "../summarize/sources.ts";
import { kubeAccess } from "./kube-access.ts";
import { createKubeApi } from "./kube-api.ts";
import { type NodePods, type WatchRestart, watchPods } from "./pod-watch.ts";
import { followTargets } from "./static-targets.ts";
import { targetsOf, targetsPage } from "./targets.ts";

export interface FollowOptions {
  readonly settings: AgentSettings;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Unix seconds. */
  readonly now: () => number;
  readonly random: () => number;
  onTargets(targets: TargetsFile): void;
  unattributed(counts: ReadonlyMap<string, number>): void;
  watchRestarted(reason: WatchRestart): void;
}

/** Where the agent learns what to read. */
export interface TargetSources {
  /** Resolves once each source was looked at, or is late. */
  firstLook(): Promise<void>;
  /** Follows the pods until aborted. */
  run(): Promise<void>;
  sources(at: number): SourceReport[];
  /** By name, for readiness. */
  health(): readonly { readonly name: string; readonly health: Health }[];
  page(): string;
}

/** The receivers open without the pods after this long: an agent without its API server still takes spans in. */
const FIRST_LOOK_SECONDS = 5;

interface Source {
  readonly name: string;
  readonly target: string;
  health: Health;
}

/** The targets file and the pods of this node, each where it is set, made into one list. */
export function followTargetSources(options: FollowOptions): TargetSources {
  const { settings, signal, log, now } = options;
  const { node, targets: path } = settings;
  const file: Source | undefined = path === undefined ? undefined : { name: "the targets file", target: path, health: unknown };
  const pods: Source | undefined =
    settings.discovery === "off" ? undefined : { name: "the pods of this node", target: `pods of ${node}`, health: unknown };
  let written: TargetsFile | undefined;
  let found: NodePods | undefined;
  let merged: Merged = targetsOf(node, undefined, undefined);
  const tell = createTeller(log);

  const apply = (): void => {
    merged = targetsOf(node, written, found);
    if (pods !== undefined) options.unattributed(countsOf(merged.unattributed));
    tell(merged);
    options.onTargets(merged.targets);
  };
  const failed = (source: Source, message: string): void => {
    if (source.health.state !== "down")
      log.warn({ problem: message }, `${source.name} cannot be used; what was last good, if anything, stays in use`);
    source.health = down(source.health, now(), 0, message);
  };
  const worked = (source: Source): void => {
    source.health = up(now(), 0);
  };

  const readFile = async (source: Source): Promise<void> =>
    followTargets({
      ...{ path: source.target, node, signal },
      onTargets(next) {
        written = next;
        apply();
      },
      onProblem: (message) => failed(source, message),
      onGood: () => worked(source),
    });

  const followPods = async (source: Source, onFirst: () => void): Promise<void> => {
    const access = kubeAccess(settings, process.env);
    if (!access.ok) return failed(source, access.error);
    const api = createKubeApi(access.value);
    await watchPods({
      ...{ api, node, namespace: settings.discoveryNamespace, signal, random: options.random, onRestart: options.watchRestarted },
      onGood: () => worked(source),
      onPods(next) {
        found = next;
        apply();
        onFirst();
      },
      onProblem: (message) => failed(source, message),
    });
    api.close();
  };

  let onListed = (): void => undefined;
  const listed = new Promise<void>((resolve) => (onListed = resolve));
  const all = [file, pods].filter((source) => source !== undefined);
  return {
    async firstLook() {
      const late = new AbortController();
      await Promise.all([
        file === undefined ? undefined : readFile(file),
        pods === undefined ? undefined : Promise.race([listed, sleep(FIRST_LOOK_SECONDS, AbortSignal.any([signal, late.signal]))]),
      ]);
      late.abort();
    },
    run: () => (pods === undefined ? Promise.resolve() : followPods(pods, onListed)),
    sources: (at) => all.map(({ target, health }) => sourceReport("targets", target, health, at)),
    health: () => all,
    page: () => targetsPage(merged),
  };
}

function countsOf(problems: readonly Unattributed[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>(UNATTRIBUTED_REASONS.map((reason) => [reason, 0]));
  for (const { reason } of problems) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}

/** Pods that change their status every second must not fill the log: each thing is said when it is new. */
function createTeller(log: Log): (merged: Merged) => void {
  let said = new Set<string>();
  let size = "";
  return ({ targets, unattributed, conflicts }) => {
    const now = new Set<string>();
    for (const { namespace, pod, reason, detail } of unattributed) {
      const key = `${namespace}/${pod} ${reason}`;
      now.add(key);
      if (!said.has(key)) log.warn({ pod: `${namespace}/${pod}`, reason }, `a pod is in no pool: ${detail}`);
    }
    for (const conflict of conflicts) {
      now.add(conflict);
      if (!said.has(conflict)) log.warn({ conflict }, "the targets file and a pod disagree");
    }
    said = now;
    const next = `${targets.engines.length}/${targets.gpus.length}`;
    if (next !== size) log.info({ engines: targets.engines.length, gpus: targets.gpus.length }, "targets known");
    size = next;
  };
}
