import { median } from "./cpu.ts";
import type { Heap } from "./heap-probe.ts";
import type { Cost } from "./process-cost.ts";

/** MiB over a run. */
export interface Trend {
  readonly max: number;
  /** Medians of the warm part's first 30 s (or tenth) and of its last. */
  readonly early: number;
  readonly late: number;
  /** Slope of a straight line through the warm part, least squares. */
  readonly perHour: number;
}

/** One look from outside, and the agent's own latest word on its heap; undefined before the first. */
export interface Sample extends Cost {
  readonly heap: Heap | undefined;
}

export interface AgentFigures {
  readonly seconds: number;
  /** CPU time ÷ wall time, of one core, when warm: after the first half, at most five minutes. */
  readonly cpuShare: number;
  /** The same from the tenth second on: with the compiling that a young process does. */
  readonly cpuShareEarly: number;
  /** Of the warm share, what the NVML process takes. */
  readonly cpuShareChild: number;
  /** Highest share of any ten seconds when warm. */
  readonly cpuShareWorst: number;
  /** Resident memory of the agent with what the NVML process adds. */
  readonly rss: Trend;
  /** What it consists of: both processes, and the agent's memory as V8 divides it. */
  readonly memory: Readonly<Record<"agent" | "nvml" | keyof Heap, Trend>>;
  /** Open files, sockets and threads when warm and at the end; medians over the same windows. */
  readonly handles: { readonly early: number; readonly late: number };
  readonly threads: { readonly early: number; readonly late: number };
}

export function figures(samples: readonly Sample[]): AgentFigures {
  const warm = samples.slice(Math.min(300, Math.floor(samples.length / 2)));
  const early = samples.slice(Math.min(10, Math.floor(samples.length / 3)));
  const windows = warm.slice(10).map((sample, i) => share(warm[i], sample));
  const edge = Math.max(1, Math.min(30, Math.floor(warm.length / 10)));
  const ends = (of: (s: Sample) => number) => ({ early: median(warm.slice(0, edge).map(of)), late: median(warm.slice(-edge).map(of)) });
  const trend = (of: (s: Sample) => number): Trend => ({
    ...{ max: Math.max(0, ...samples.map(of)), ...ends(of) },
    perHour: slope(warm.map((s) => [s.at / 3600, of(s)])),
  });
  const heap = (part: keyof Heap): Trend => trend((s) => s.heap?.[part] ?? 0);
  return {
    seconds: samples.length,
    cpuShare: share(warm[0], warm.at(-1)),
    cpuShareEarly: share(early[0], early.at(-1)),
    cpuShareChild: share(warm[0], warm.at(-1), (s) => s.childCpu),
    cpuShareWorst: Math.max(0, ...windows),
    rss: trend((s) => s.rss + s.childPrivate),
    memory: {
      ...{ agent: trend((s) => s.rss), nvml: trend((s) => s.childPrivate) },
      ...{ heapTotal: heap("heapTotal"), heapUsed: heap("heapUsed"), external: heap("external"), arrayBuffers: heap("arrayBuffers") },
    },
    handles: ends((s) => s.handles),
    threads: ends((s) => s.threads),
  };
}

const share = (from: Cost | undefined, to: Cost | undefined, cpu: (s: Cost) => number = (s) => s.cpu): number =>
  from === undefined || to === undefined || to === from ? 0 : (cpu(to) - cpu(from)) / (to.at - from.at);

function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
  const x = mean(points.map(([at]) => at));
  const y = mean(points.map(([, value]) => value));
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
}
