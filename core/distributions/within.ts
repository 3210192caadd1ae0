import type { Distribution } from "../distribution.ts";
import { sketchCountAtMost } from "../sketch/quantile.ts";
import type { BucketDistribution } from "./bucket-distribution.ts";
import { bucketExponent, lowerBound } from "./bucket-shape.ts";

/** Samples at or below the target, interpolated inside the bucket that holds it (exact when the target is a bound). */
export function countWithin(d: Distribution, target: number): number {
  return d.kind === "sketch" ? sketchCountAtMost(d.sketch, target) : bucketsAtMost(d, target);
}

/** What lies above the last bound is never counted as within: its size is unknown, and an objective must not be held by a guess. */
function bucketsAtMost(d: BucketDistribution, target: number): number {
  let total = 0;
  for (let i = 0; i < d.le.length; i++) {
    const upper = d.le[i] ?? 0;
    const inside = d.counts[i] ?? 0;
    if (upper <= target) total += inside;
    else {
      const lower = lowerBound(d.le, i);
      return target > lower ? total + inside * ((target - lower) / (upper - lower)) ** bucketExponent(d, i) : total;
    }
  }
  return target === Number.POSITIVE_INFINITY ? d.count : total;
}
