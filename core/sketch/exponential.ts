import type { SketchData } from "../distribution.ts";

/**
 * Mergeable exponential histogram (the OpenTelemetry exponential-histogram layout): bucket i covers (base^i, base^(i+1)], base = 2^(2^-scale).
 * Halving the resolution joins buckets 2j and 2j+1, so any two sketches meet on the coarser scale without loss of counts.
 */

/** base = 2^(1/32) ≈ 1.0219: a quantile is off by at most 1.09 %, and 64 octaves (1e-9 .. 1.8e10) fit before anything collapses. */
export const DEFAULT_SCALE = 5;
/** Half of what the wire accepts; one sketch is then at most a few kilobytes. */
export const MAX_BUCKETS = 2048;
/** One nanosecond (or 1e-9 token): nothing we measure is smaller, so it and all below it count as zero. */
export const SMALLEST = 1e-9;

export const emptySketch = (scale: number = DEFAULT_SCALE): SketchData => ({
  scale,
  offset: 0,
  counts: [],
  zeros: 0,
  sum: 0,
  count: 0,
  min: 0,
  max: 0,
});

export const bucketBase = (scale: number): number => 2 ** (2 ** -scale);

/** Upper bound of bucket i. */
export const upperBound = (index: number, scale: number): number => 2 ** ((index + 1) * 2 ** -scale);

export const bucketIndex = (value: number, scale: number): number => Math.ceil(Math.log2(value) * 2 ** scale) - 1;

/** Arithmetic halving: floor(index / 2^steps), right for negative indexes too. */
export const downscaleIndex = (index: number, steps: number): number => Math.floor(index / 2 ** steps);

/** Steps of downscaling after which [low, high] spans at most MAX_BUCKETS. Depends on the union only, hence merging is associative. */
export function stepsToFit(low: number, high: number): number {
  let steps = 0;
  while (downscaleIndex(high, steps) - downscaleIndex(low, steps) >= MAX_BUCKETS) steps++;
  return steps;
}
