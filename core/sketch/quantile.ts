import type { SketchData } from "../distribution.ts";
import { bucketBase, upperBound } from "./exponential.ts";

/**
 * The value at rank q·(count − 1), as DDSketch defines it. A bucket answers with 2·lo·hi/(lo+hi), the point whose relative distance to both
 * edges is equal, so the error is at most (base − 1)/(base + 1). Clamped to the true extremes.
 */
export function sketchQuantile(data: SketchData, q: number): number | undefined {
  if (data.count === 0 || !(q >= 0 && q <= 1)) return undefined;
  if (q === 0) return data.min;
  if (q === 1) return data.max;
  const rank = q * (data.count - 1);
  let seen = data.zeros;
  if (seen > rank) return clamp(0, data);
  const base = bucketBase(data.scale);
  for (let i = 0; i < data.counts.length; i++) {
    seen += data.counts[i] ?? 0;
    if (seen > rank) return clamp((2 * upperBound(data.offset + i, data.scale)) / (base + 1), data);
  }
  return data.max;
}

/** How many values are ≤ x; inside the bucket that holds x the values are taken as evenly spread on the logarithmic axis. */
export function sketchCountAtMost(data: SketchData, x: number): number {
  if (data.count === 0 || Number.isNaN(x) || x < data.min) return 0;
  if (x >= data.max) return data.count;
  if (x <= 0) return x < 0 ? 0 : data.zeros;
  const position = Math.log2(x) * 2 ** data.scale - data.offset;
  const whole = Math.floor(position);
  let total = data.zeros;
  for (let i = 0; i < Math.min(whole, data.counts.length); i++) total += data.counts[i] ?? 0;
  if (whole >= 0) total += (position - whole) * (data.counts[whole] ?? 0);
  return Math.min(total, data.count);
}

const clamp = (value: number, data: SketchData): number => Math.min(Math.max(value, data.min), data.max);
