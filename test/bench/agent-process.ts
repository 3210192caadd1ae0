import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { median } from "./cpu.ts";
import { type NodeCounts, startBusyNode } from "./busy-node.ts";

export interface AgentFigures {
  readonly seconds: number;
  /** CPU time ÷ wall time, of one core, after the first ten seconds or the first third. */
  readonly cpuShare: number;
  /** Highest share of any ten seconds after that. */
  readonly cpuShareWorst: number;
  readonly rssMaxMiB: number;
  /** Median of the last quarter − median of the second quarter: what a leak would show. */
  readonly rssGrowthMiB: number;
  readonly counts: NodeCounts;
}

/** What docs/agent.md tells to start agents with. */
export const NODE_FLAGS = ["--max-semi-space-size=4", "--single-threaded-gc"] as const;
const PROGRAM = fileURLToPath(new URL("../../dist/fulcrum.mjs", import.meta.url));

/** One agent as its own process on a busy node: 8 engines, 8 GPUs, 200 spans a second, at 1 Hz; read from outside, out of /proc. */
export async function measureAgent(
  seconds: number,
  flags: readonly string[] = NODE_FLAGS,
  more: readonly string[] = [],
): Promise<AgentFigures> {
  const node = await startBusyNode({ engines: 8, gpus: 8, spansPerSecond: 200 });
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-bench-"));
  const targets = join(directory, "targets.json");
  writeFileSync(targets, JSON.stringify(node.targets));
  const ports = ["--port", "0", "--otlp-http-port", "0", "--otlp-grpc-port", "0"];
  const args = ["agent", "--node", "node-a", "--targets", targets, "--scaler-url", node.scalerUrl, ...ports, ...more];
  const agent = spawn(process.execPath, [...flags, PROGRAM, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => agent.once("exit", resolve));
  try {
    node.sendSpans(await listening(agent));
    const samples = await watch(agent, seconds);
    agent.kill("SIGTERM");
    await ended;
    return { ...figures(samples), counts: { ...node.counts } };
  } finally {
    agent.kill("SIGKILL");
    await node.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The ports out of the agent's own log line. */
function listening(agent: ChildProcess): Promise<{ readonly http: number; readonly grpc: number }> {
  return new Promise((resolve, reject) => {
    agent.once("exit", (code) => reject(new Error(`the agent ended with ${code ?? "a signal"} (is dist built?)`)));
    if (agent.stderr === null) return;
    createInterface(agent.stderr).on("line", (line) => {
      const found = /"otlpHttp":(\d+),"otlpGrpc":(\d+)/.exec(line);
      if (found !== null) resolve({ http: Number(found[1]), grpc: Number(found[2]) });
    });
  });
}

interface Sample {
  readonly at: number;
  readonly cpu: number;
  readonly rss: number;
}

/** USER_HZ and the page size of every Linux that Node runs on in practice; `getconf` would say the same. */
const TICKS = 100;
const PAGE_MIB = 4096 / 1024 / 1024;

async function watch(agent: ChildProcess, seconds: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && agent.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const stat = readFileSync(`/proc/${agent.pid}/stat`, "utf8");
    // Behind the command in parentheses; utime and stime are fields 14 and 15 of the whole line.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const rss = Number(readFileSync(`/proc/${agent.pid}/statm`, "utf8").split(" ")[1]) * PAGE_MIB;
    samples.push({ at: performance.now() / 1000, cpu: (Number(fields[11]) + Number(fields[12])) / TICKS, rss });
  }
  return samples;
}

function figures(samples: readonly Sample[]): Omit<AgentFigures, "counts"> {
  const steady = samples.slice(Math.min(10, Math.floor(samples.length / 3)));
  const share = (from: Sample | undefined, to: Sample | undefined): number =>
    from === undefined || to === undefined || to === from ? 0 : (to.cpu - from.cpu) / (to.at - from.at);
  const windows = steady.slice(10).map((sample, i) => share(steady[i], sample));
  const quarter = (n: number): number => median(samples.slice((samples.length * n) / 4, (samples.length * (n + 1)) / 4).map((s) => s.rss));
  return {
    seconds: samples.length,
    cpuShare: share(steady[0], steady.at(-1)),
    cpuShareWorst: Math.max(0, ...windows),
    rssMaxMiB: Math.max(0, ...samples.map((s) => s.rss)),
    rssGrowthMiB: quarter(3) - quarter(1),
  };
}
