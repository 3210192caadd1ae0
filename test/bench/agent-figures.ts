import { median } from "./cpu.ts";
import type { Cost } from "./process-cost.ts";

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
  /** With what the NVML process adds. */
  readonly rssMaxMiB: number;
  readonly rssChildMiB: number;
  /** Medians of the warm part's first 30 s (or tenth) and of its last. */
  readonly rssEarlyMiB: number;
  readonly rssLateMiB: number;
  /** Slope of a straight line through the warm part, least squares. */
  readonly rssMiBPerHour: number;
  /** Open files, sockets and threads when warm and at the end; medians over the same windows. */
  readonly handles: { readonly early: number; readonly late: number };
  readonly threads: { readonly early: number; readonly late: number };
}

export function figures(samples: readonly Cost[]): AgentFigures {
  const warm = samples.slice(Math.min(300, Math.floor(samples.length / 2)));
  const early = samples.slice(Math.min(10, Math.floor(samples.length / 3)));
  const windows = warm.slice(10).map((sample, i) => share(warm[i], sample));
  const whole = (s: Cost): number => s.rss + s.childPrivate;
  const edge = Math.max(1, Math.min(30, Math.floor(warm.length / 10)));
  const ends = (of: (s: Cost) => number) => ({ early: median(warm.slice(0, edge).map(of)), late: median(warm.slice(-edge).map(of)) });
  const rss = ends(whole);
  return {
    seconds: samples.length,
    cpuShare: share(warm[0], warm.at(-1)),
    cpuShareEarly: share(early[0], early.at(-1)),
    cpuShareChild: share(warm[0], warm.at(-1), (s) => s.childCpu),
    cpuShareWorst: Math.max(0, ...windows),
    rssMaxMiB: Math.max(0, ...samples.map(whole)),
    rssChildMiB: median(warm.map((s) => s.childPrivate)),
    rssEarlyMiB: rss.early,
    rssLateMiB: rss.late,
    rssMiBPerHour: slope(warm.map((s) => [s.at / 3600, whole(s)])),
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
