import type { Distribution } from "../distribution.ts";
import { sketchQuantile } from "../sketch/quantile.ts";
import type { BucketDistribution } from "./bucket-distribution.ts";

/** Undefined when there are no samples or q is outside 0..1. */
export function quantileOf(d: Distribution, q: number): number | undefined {
  return d.kind === "sketch" ? sketchQuantile(d.sketch, q) : bucketQuantile(d, q);
}

/**
 * Linear interpolation in the bucket that holds rank q·count, as Prometheus' histogram_quantile does, so that our page and the operator's own
 * queries agree. Above the last bound nothing is known: the last bound is the answer (a lower bound of the truth).
 */
function bucketQuantile(d: BucketDistribution, q: number): number | undefined {
  if (d.count <= 0 || !(q >= 0 && q <= 1)) return undefined;
  const rank = q * d.count;
  let below = 0;
  for (let i = 0; i < d.le.length; i++) {
    const inside = d.counts[i] ?? 0;
    if (inside > 0 && below + inside >= rank) {
      const upper = d.le[i] ?? 0;
      const lower = lowerBound(d.le, i);
      return lower + (upper - lower) * Math.max(0, (rank - below) / inside);
    }
    below += inside;
  }
  // Without any finite bound the mean is all that is known.
  return d.le.at(-1) ?? d.sum / d.count;
}

/** Latencies and lengths are not negative: the first bucket starts at 0, unless its own bound is not above 0. */
export function lowerBound(le: readonly number[], i: number): number {
  if (i > 0) return le[i - 1] ?? 0;
  return Math.min(0, le[0] ?? 0);
}
