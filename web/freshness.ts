import type { PageFrame } from "../wire/page.ts";

/** Missing more frames than this is no longer jitter. */
export const STALE_INTERVALS = 3;
const DEFAULT_INTERVAL = 5;
const SAMPLE = 21;

/** Seconds between frames: the median of the last gaps, so that one outage does not stretch it. */
export function frameInterval(frames: readonly PageFrame[]): number {
  const recent = frames.slice(-SAMPLE);
  const gaps: number[] = [];
  recent.forEach((frame, i) => {
    const before = recent[i - 1];
    if (before !== undefined) gaps.push(frame.at - before.at);
  });
  gaps.sort((a, b) => a - b);
  return Math.max(0.5, gaps[Math.floor(gaps.length / 2)] ?? DEFAULT_INTERVAL);
}

/** When data last arrived, on the scaler's clock and on ours. */
export interface Arrival {
  /** Age of the newest frame when it arrived, by the scaler's own clock: skew between the clocks does not matter. */
  readonly age: number;
  /** Seconds on a local monotonic clock. */
  readonly received: number;
}

export const ageOf = (arrival: Arrival, localNow: number): number => Math.max(0, arrival.age) + Math.max(0, localNow - arrival.received);

export const isStale = (age: number, interval: number): boolean => age > STALE_INTERVALS * interval;
