import type { SketchData } from "../distribution.ts";
import { bucketIndex, DEFAULT_SCALE, downscaleIndex, emptySketch, SMALLEST, stepsToFit } from "./exponential.ts";

export interface SketchBuilder {
  /** Non-finite values and non-positive counts are ignored: a broken measurement must not poison a sum. */
  add(value: number, count?: number): void;
  toData(): SketchData;
  reset(): void;
}

/** A sketch that is filled in place; `toData` is a snapshot. */
export function createSketch(scale: number = DEFAULT_SCALE): SketchBuilder {
  let state = emptyState(scale);
  return {
    add(value, count = 1) {
      if (!Number.isFinite(value) || !(count > 0) || !Number.isFinite(count)) return;
      state.min = state.count === 0 ? value : Math.min(state.min, value);
      state.max = state.count === 0 ? value : Math.max(state.max, value);
      state.count += count;
      state.sum += value * count;
      if (value <= SMALLEST) state.zeros += count;
      else addPositive(state, value, count);
    },
    toData: () => snapshot(state),
    reset() {
      state = emptyState(scale);
    },
  };
}

interface State {
  scale: number;
  buckets: Map<number, number>;
  low: number;
  high: number;
  zeros: number;
  sum: number;
  count: number;
  min: number;
  max: number;
}

const emptyState = (scale: number): State => ({ scale, buckets: new Map(), low: 0, high: -1, zeros: 0, sum: 0, count: 0, min: 0, max: 0 });

function addPositive(state: State, value: number, count: number): void {
  let index = bucketIndex(value, state.scale);
  const first = state.buckets.size === 0;
  const steps = first ? 0 : stepsToFit(Math.min(index, state.low), Math.max(index, state.high));
  if (steps > 0) {
    downscale(state, steps);
    index = downscaleIndex(index, steps);
  }
  state.buckets.set(index, (state.buckets.get(index) ?? 0) + count);
  state.low = first ? index : Math.min(state.low, index);
  state.high = first ? index : Math.max(state.high, index);
}

function downscale(state: State, steps: number): void {
  const coarse = new Map<number, number>();
  for (const [index, count] of state.buckets) {
    const to = downscaleIndex(index, steps);
    coarse.set(to, (coarse.get(to) ?? 0) + count);
  }
  state.buckets = coarse;
  state.scale -= steps;
  state.low = downscaleIndex(state.low, steps);
  state.high = downscaleIndex(state.high, steps);
}

function snapshot(state: State): SketchData {
  if (state.count === 0) return emptySketch(state.scale);
  const { scale, zeros, sum, count, min, max, low, high, buckets } = state;
  const counts = Array.from({ length: high - low + 1 }, (_, i) => buckets.get(low + i) ?? 0);
  return { scale, offset: counts.length === 0 ? 0 : low, counts, zeros, sum, count, min, max };
}
