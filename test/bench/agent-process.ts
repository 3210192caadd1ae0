import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { hasCompiler } from "../agent/gpu/fake-driver.ts";
import { type AgentFigures, type Sample, figures } from "./agent-figures.ts";
import { type NodeCounts, startBusyNode } from "./busy-node.ts";
import { type BusyGpus, startBusyGpus } from "./busy-gpus.ts";
import { HEAP_PROBE, type Heap, latestHeap } from "./heap-probe.ts";
import { costOf } from "./process-cost.ts";

/** What docs/agent.md tells to start agents with. */
export const NODE_FLAGS = ["--max-semi-space-size=4", "--single-threaded-gc", "--v8-pool-size=1"] as const;
const PROGRAM = fileURLToPath(new URL("../../dist/fulcrum.mjs", import.meta.url));

export interface MeasuredAgent extends AgentFigures {
  readonly counts: NodeCounts;
  /** Sample lines of the agent's own page, at its first scrape and at its last. */
  readonly series: { readonly first: number; readonly last: number };
  /** What the GPUs were read from: NVML in its own process, or a page where no compiler could make the driver. */
  readonly gpus: "nvml" | "page";
}

/**
 * One agent as its own process on a busy node: 8 engines, 8 GPUs, 200 spans a second, at 1 Hz; read from outside, out of /proc. Engines, exporters
 * and scaler are this process, whose cost does not count; the NVML process is the agent's child, and does. Its page is scraped as Prometheus does.
 */
export async function measureAgent(
  seconds: number,
  flags: readonly string[] = NODE_FLAGS,
  more: readonly string[] = [],
): Promise<MeasuredAgent> {
  const gpus = hasCompiler ? await startBusyGpus(8) : undefined;
  const node = await startBusyNode({ engines: 8, gpuPages: gpus === undefined ? 8 : 0, spansPerSecond: 200 });
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-bench-"));
  const targets = join(directory, "targets.json");
  writeFileSync(targets, JSON.stringify(node.targets));
  const ports = ["--port", "0", "--otlp-http-port", "0", "--otlp-grpc-port", "0"];
  const args = ["agent", "--node", "node-a", "--targets", targets, "--scaler-url", node.scalerUrl, ...ports, ...readerArgs(gpus), ...more];
  const agent = spawn(process.execPath, [...flags, ...HEAP_PROBE, PROGRAM, ...args], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => agent.once("exit", resolve));
  try {
    const ports = await listening(agent);
    node.sendSpans(ports);
    const pages = scrapePages(`http://127.0.0.1:${ports.metrics}/metrics`, Math.min(15, seconds / 3));
    const samples = await watch(agent, seconds);
    const series = await pages.stop();
    node.stopSpans();
    agent.kill("SIGTERM");
    await ended;
    return { ...figures(samples), counts: { ...node.counts }, series, gpus: gpus === undefined ? "page" : "nvml" };
  } finally {
    agent.kill("SIGKILL");
    gpus?.stop();
    await node.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const readerArgs = (gpus: BusyGpus | undefined): readonly string[] =>
  gpus === undefined ? ["--gpu-reader", "dcgm-exporter"] : ["--gpu-reader", "nvml", "--nvml-library", gpus.library];

interface Ports {
  readonly metrics: number;
  readonly http: number;
  readonly grpc: number;
}

/** The ports out of the agent's own log line. */
function listening(agent: ChildProcess): Promise<Ports> {
  return new Promise((resolve, reject) => {
    agent.once("exit", (code) => reject(new Error(`the agent ended with ${code ?? "a signal"} (is dist built?)`)));
    if (agent.stderr === null) return;
    createInterface(agent.stderr).on("line", (line) => {
      const found = /"metrics":(\d+),"otlpHttp":(\d+),"otlpGrpc":(\d+)/.exec(line);
      if (found !== null) resolve({ metrics: Number(found[1]), http: Number(found[2]), grpc: Number(found[3]) });
    });
  });
}

async function watch(agent: ChildProcess, seconds: number): Promise<Sample[]> {
  const probe = agent.stdio[3];
  const heap = probe instanceof Readable ? latestHeap(probe) : (): Heap | undefined => undefined;
  const samples: Sample[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && agent.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (agent.pid !== undefined) samples.push({ ...costOf(agent.pid), heap: heap() });
  }
  return samples;
}

/** Every so many seconds, and once more when stopped. What counts over a window of some seconds (ports) is on the second page, not on the first. */
function scrapePages(url: string, every: number): { stop(): Promise<{ readonly first: number; readonly last: number }> } {
  const lines: number[] = [];
  const scrape = async (): Promise<void> => {
    const page = await (await fetch(url)).text();
    lines.push(page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length);
  };
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(scrape);
  }, every * 1000);
  return {
    async stop() {
      clearInterval(timer);
      await last.then(scrape);
      return { first: lines[1] ?? 0, last: lines.at(-1) ?? 0 };
    },
  };
}
