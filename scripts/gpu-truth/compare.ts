import { setTimeout as sleep } from "node:timers/promises";
import type { GpuFigure } from "../../agent/gpu/reading.ts";
import { type Load, type Said, startLoad } from "./python.ts";
import { type Tick, type TruthReader, monotonic } from "./reader.ts";
import { mean, quantile } from "./statistics.ts";

export const MODES = ["idle", "h2d", "d2h", "d2d", "matmul", "p2p"] as const;
export type Mode = (typeof MODES)[number];

/** bf16 operations per clock and multiprocessor on Hopper (compute capability 9.0): 989.4 TFLOP/s at 132 SMs and 1.83 GHz. */
const HOPPER_BF16_PER_CLOCK = 4096;

export interface Comparison {
  readonly mode: Mode;
  readonly seconds: number;
  /** What the load counted, what the reader said, reader ÷ truth. */
  readonly checks: readonly { readonly figure: string; readonly truth: number; readonly reader: number; readonly ratio: number }[];
  readonly figures: Partial<Record<GpuFigure, number>>;
  readonly cost: { readonly ticks: number; readonly cpuMicrosP50: number; readonly cpuMicrosP95: number; readonly wallMicrosP50: number };
  readonly throttledSeconds: Readonly<Record<string, number>>;
}

/** Runs one load and reads beside it once a second. The first reads only open the window and let averages settle. */
export async function compare(reader: TruthReader, mode: Mode, seconds: number): Promise<Comparison | undefined> {
  const load = startLoad("load", mode);
  const device = await load.next("device");
  if (mode === "p2p" && Number(device["gpus"]) < 2) {
    await load.stop().catch(() => undefined);
    return undefined;
  }
  await load.next("running");
  await sleep(1500);
  reader.tick();
  await sleep(1000);
  const first = reader.tick();
  const energy = reader.energyJoules();
  const energyAt = monotonic();
  const ticks: Tick[] = [];
  for (let i = 1; i <= seconds; i++) {
    await sleep(Math.max(0, first.at + i - monotonic()) * 1000);
    ticks.push(reader.tick());
  }
  const last = ticks.at(-1) ?? first;
  const energyAfter = reader.energyJoules();
  const watts = energy === undefined || energyAfter === undefined ? undefined : (energyAfter - energy) / (monotonic() - energyAt);
  // The load reports what it has done a batch later; its last report must lie beyond the last read.
  await sleep(500);
  await load.stop();
  return summarize({ reader, mode, load, device, first, last, ticks, watts });
}

interface Run {
  readonly reader: TruthReader;
  readonly mode: Mode;
  readonly load: Load;
  readonly device: Said;
  readonly first: Tick;
  readonly last: Tick;
  readonly ticks: readonly Tick[];
  readonly watts: number | undefined;
}

function summarize(run: Run): Comparison {
  const { mode, first, last, ticks } = run;
  const figures = meanFigures(ticks);
  const checks: Comparison["checks"][number][] = [];
  const check = (figure: string, truth: number | undefined, read: number | undefined): void => {
    if (truth !== undefined && read !== undefined) checks.push({ figure, truth, reader: read, ratio: read / truth });
  };
  const rate = (name: "bytes" | "flops"): number =>
    (doneAt(run.load, name, last.at) - doneAt(run.load, name, first.at)) / (last.at - first.at);
  check("powerWatts", run.watts, figures.powerWatts);
  if (mode === "h2d") check("pcieReceiveBytesPerSecond", rate("bytes"), figures.pcieReceiveBytesPerSecond);
  if (mode === "d2h") check("pcieTransmitBytesPerSecond", rate("bytes"), figures.pcieTransmitBytesPerSecond);
  if (mode === "p2p") check("nvlinkTransmitBytesPerSecond", rate("bytes"), figures.nvlinkTransmitBytesPerSecond);
  const peak = figures.memoryClockHertz === undefined ? undefined : run.reader.memoryPeak(figures.memoryClockHertz);
  if (mode === "d2d" && peak !== undefined) check("dramActive", rate("bytes") / peak, figures.dramActive);
  if (mode === "matmul" && Number(run.device["major"]) === 9 && figures.smClockHertz !== undefined)
    check("tensorActive", rate("flops") / (HOPPER_BF16_PER_CLOCK * Number(run.device["sms"]) * figures.smClockHertz), figures.tensorActive);
  const cpu = ticks.map((t) => t.cpuMicros);
  const wall = ticks.map((t) => t.wallMicros);
  return {
    ...{ mode, seconds: last.at - first.at, checks, figures, throttledSeconds: throttled(first, last) },
    cost: { ticks: ticks.length, cpuMicrosP50: quantile(cpu, 0.5), cpuMicrosP95: quantile(cpu, 0.95), wallMicrosP50: quantile(wall, 0.5) },
  };
}

function meanFigures(ticks: readonly Tick[]): Partial<Record<GpuFigure, number>> {
  const out: Partial<Record<GpuFigure, number>> = {};
  const names = new Set(ticks.flatMap((t) => Object.keys(t.reading.gpus[0]?.figures ?? {}) as GpuFigure[]));
  for (const name of names) out[name] = mean(ticks.map((t) => t.reading.gpus[0]?.figures[name]).filter((v) => v !== undefined));
  return out;
}

function throttled(first: Tick, last: Tick): Record<string, number> {
  const [before, after] = [first, last].map((t) => t.reading.gpus[0]?.throttleSecondsByReason ?? {});
  return Object.fromEntries(Object.entries(after ?? {}).map(([reason, total]) => [reason, total - (before?.[reason] ?? total)]));
}

/** What the load had done at a moment, between two of its reports. */
function doneAt(load: Load, name: "bytes" | "flops", at: number): number {
  const done = load.said.filter((s) => s.kind === "done").map((s) => ({ t: Number(s["t"]), value: Number(s[name]) }));
  const after = done.findIndex((d) => d.t >= at);
  const [a, b] = [done[after - 1], done[after]];
  if (a === undefined || b === undefined) return Number.NaN;
  return a.value + ((b.value - a.value) * (at - a.t)) / (b.t - a.t);
}
