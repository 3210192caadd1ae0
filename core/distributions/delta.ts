import type { BucketDistribution } from "./bucket-distribution.ts";
import { sameBounds } from "./merge.ts";

/**
 * Cumulative to per-interval. An engine's counters only go back when it restarted; what it shows then is exactly what happened since, so the
 * delta is `now` itself and `reset` says so.
 */
export function subtractBuckets(
  now: BucketDistribution,
  before: BucketDistribution,
): { readonly delta: BucketDistribution; readonly reset: boolean } {
  const comparable = sameBounds(now.le, before.le) && now.count >= before.count && now.counts.every((c, i) => c >= (before.counts[i] ?? 0));
  if (!comparable) return { delta: now, reset: true };
  const counts = now.counts.map((c, i) => c - (before.counts[i] ?? 0));
  // Sums are floating point: a window of zero-length samples may come out as -1e-17.
  const sum = Math.max(0, now.sum - before.sum);
  return { delta: { kind: "buckets", le: now.le, counts, sum, count: now.count - before.count }, reset: false };
}

export function counterDelta(now: number, before: number): { readonly delta: number; readonly reset: boolean } {
  return now >= before ? { delta: now - before, reset: false } : { delta: now, reset: true };
}
