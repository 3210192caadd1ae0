import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentSettings, agentSettingsSchema } from "../../../agent/config.ts";
import { createLog } from "../../../agent/log.ts";
import { type AgentPorts, runAgent } from "../../../agent/main.ts";
import type { EngineTarget, TargetsFile } from "../../../core/targets.ts";
import type { NodeReport, PoolReport } from "../../../wire/messages.ts";

export interface TestAgent {
  readonly ports: AgentPorts;
  readonly metrics: () => Promise<string>;
  readonly get: (path: string) => Promise<Response>;
  setTargets(targets: Partial<TargetsFile>): Promise<void>;
  writeTargets(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** The real agent in this process, on free ports, at 10 reports per second. */
export async function startAgent(settings: Partial<AgentSettings>, targets: Partial<TargetsFile> | string = {}): Promise<TestAgent> {
  const directory = await mkdtemp(join(tmpdir(), "fulcrum-agent-"));
  const path = join(directory, "targets.json");
  const writeTargets = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  const setTargets = (t: Partial<TargetsFile>): Promise<void> =>
    writeTargets(JSON.stringify({ node: "node-a", engines: [], gpus: [], ...t }));
  await (typeof targets === "string" ? writeTargets(targets) : setTargets(targets));

  const stop = new AbortController();
  const parsed = agentSettingsSchema.parse({ node: "node-a", targets: path, port: 0, otlpGrpcPort: 0, otlpHttpPort: 0, interval: 0.1 });
  let running: Promise<void> | undefined;
  const ports = await new Promise<AgentPorts>((resolve, reject) => {
    running = runAgent({ ...parsed, ...settings }, stop.signal, createLog("agent", "silent"), resolve);
    running.catch(reject);
  });
  const get = (p: string): Promise<Response> => fetch(`http://127.0.0.1:${ports.metrics}${p}`);
  return {
    ports,
    get,
    metrics: async () => (await get("/metrics")).text(),
    setTargets,
    writeTargets,
    async stop() {
      stop.abort();
      await running;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const engineTarget = (url: string, more: Partial<EngineTarget> = {}): EngineTarget => ({
  url,
  namespace: "ns",
  pod: "decode-0",
  pool: "decode",
  role: "decode",
  model: "m",
  engine: "vllm",
  phase: "ready",
  startedAt: 1_000,
  ...more,
});

export const poolOf = (report: NodeReport, name: string): PoolReport | undefined => report.pools.find((p) => p.pool === name);

/** Sum of one counter over all reports, as a scaler would fold it; undefined when no report has it. */
export function total(reports: readonly NodeReport[], pool: string, counter: keyof PoolReport["counters"]): number | undefined {
  const values = reports.map((r) => poolOf(r, pool)?.counters[counter]).filter((v) => v !== undefined);
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0);
}
