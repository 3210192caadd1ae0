import type { Distribution } from "../distribution.ts";
import { sketchQuantile } from "../sketch/quantile.ts";
import type { BucketDistribution } from "./bucket-distribution.ts";
import { bucketExponent, lowerBound } from "./bucket-shape.ts";

/** Samples at a bound lie in the bucket below it, so a quantile inside a bucket is above its lower bound by what survives rounding. */
const ABOVE_BOUND = 1e-12;

/** Undefined when there are no samples or q is outside 0..1. */
export function quantileOf(d: Distribution, q: number): number | undefined {
  return d.kind === "sketch" ? sketchQuantile(d.sketch, q) : bucketQuantile(d, q);
}

/**
 * Interpolation in the bucket that holds rank q·count, by that bucket's shape (bucket-shape.ts). Above the last bound nothing is known: the
 * last bound is the answer (a lower bound of the truth).
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
      const share = Math.max(0, (rank - below) / inside);
      return lower + (upper - lower) * Math.max(ABOVE_BOUND, share ** (1 / bucketExponent(d, i)));
    }
    below += inside;
  }
  // Without any finite bound the mean is all that is known.
  return d.le.at(-1) ?? d.sum / d.count;
}
