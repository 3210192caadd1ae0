import type { BucketDistribution } from "./bucket-distribution.ts";

/**
 * How samples lie inside one bucket, as the exponent k of a share uᵏ below the point u (0..1 across the bucket).
 * k = 1 is the straight line that histogram_quantile draws.
 *
 * Engines' latency buckets are coarse where targets lie (vLLM's ITL: 10, 25, 50 ms), but their sum is exact. When most
 * samples share a bucket, the sum gives that bucket's mean, and a share of uᵏ with k = m/(1 − m) has the mean m. Steps
 * of 26 ms in the 25–50 ms bucket are then read as about 27 ms at p95, not as 49.
 */
export function bucketExponent(d: BucketDistribution, i: number): number {
  const inside = d.counts[i] ?? 0;
  if (inside < DOMINANT * d.count || (d.counts[d.le.length] ?? 0) > 0) return 1;
  let others = 0;
  for (let j = 0; j < d.le.length; j++) {
    if (j !== i) others += ((d.counts[j] ?? 0) * (lowerBound(d.le, j) + (d.le[j] ?? 0))) / 2;
  }
  const low = lowerBound(d.le, i);
  const width = (d.le[i] ?? 0) - low;
  const mean = ((d.sum - others) / inside - low) / width;
  // Outside the bucket the guess about the others was wrong: draw the straight line.
  if (!(mean > 0 && mean < 1)) return 1;
  return Math.min(MOST, Math.max(1 / MOST, mean / (1 - mean)));
}

/** With less than this share the other buckets' unknown means weigh too much. */
const DOMINANT = 0.6;
/** Steeper than this is a single value. */
const MOST = 30;

/** Latencies and lengths are not negative: the first bucket starts at 0, unless its own bound is not above 0. */
export function lowerBound(le: readonly number[], i: number): number {
  if (i > 0) return le[i - 1] ?? 0;
  return Math.min(0, le[0] ?? 0);
}
