import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FleetPools, FleetReplica, FleetStatus } from "../../core/fleet-control.ts";
import { parseFleetSettings, type FleetSettingsInput } from "../../fleet/config.ts";
import { runFleet } from "../../fleet/main.ts";
import type { TruthReport } from "../../fleet/truth-report.ts";
import type { PlantRequest } from "../../sim/plant/plant.types.ts";
import { bundleEngine } from "./engine-bundle.ts";

/** A fleet on free ports with real engine processes. */
export interface RunningFleet {
  readonly url: string;
  readonly runDir: string;
  stop(): Promise<void>;
  text(path: string): Promise<string>;
  status(): Promise<FleetStatus>;
  pools(): Promise<FleetPools>;
  replicas(): Promise<readonly FleetReplica[]>;
  truth(query?: string): Promise<TruthReport>;
  send(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
}

let bundle: Promise<string> | undefined;

export async function startFleet(input: Partial<FleetSettingsInput>): Promise<RunningFleet> {
  bundle ??= bundleEngine();
  const runDir = await mkdtemp(join(tmpdir(), "fulcrum-run-"));
  const nodes = [
    { name: "node-a", gpus: 4 },
    { name: "node-b", gpus: 4 },
  ];
  const settings = parseFleetSettings({ port: 0, runDir, nodes, startDelay: 0.5, leadTime: 1, engineScript: await bundle, ...input });
  if (!settings.ok) throw settings.error;
  const stop = new AbortController();
  let over: Promise<void> = Promise.resolve();
  const url = await new Promise<string>((resolve, reject) => {
    over = runFleet(settings.value, stop.signal, (handle) => resolve(handle.url));
    over.catch(reject);
  });
  const text = async (path: string): Promise<string> => (await fetch(path.startsWith("http") ? path : url + path)).text();
  const json = async <T>(path: string): Promise<T> => JSON.parse(await text(path)) as T;
  return {
    url,
    runDir,
    async stop() {
      stop.abort();
      await over;
      await rm(runDir, { recursive: true, force: true });
    },
    text,
    status: () => json("/v1/status"),
    pools: () => json("/v1/pools"),
    replicas: async () => (await json<FleetPools>("/v1/pools")).pools.flatMap((pool) => pool.replicas),
    truth: (query = "") => json(`/v1/truth${query}`),
    async send(method, path, body) {
      const response = await fetch(url + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      return { status: response.status, body: JSON.parse(await response.text()) as unknown };
    },
  };
}

/** Asks until the answer is good; the test's own time limit ends the wait. */
export async function until<T>(ask: () => Promise<T>, good: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Requests at a steady rate; all begin with the same 512-token block, as a system prompt would. */
export function steady(count: number, perSecond: number): PlantRequest[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    arrival: id / perSecond,
    inputTokens: 1536 + (id % 7) * 64,
    outputTokens: 20 + (id % 11) * 5,
    hashIds: [1, 1000 + id, 2000 + id],
  }));
}
