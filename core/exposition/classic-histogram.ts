import type { BucketDistribution } from "../distributions/bucket-distribution.ts";
import { err, ok, type Result } from "../result.ts";

/** The samples of one classic histogram, one label set. */
export interface HistogramParts {
  /** Cumulative counts by upper bound, ascending; +Inf included when the page has it. */
  readonly buckets: readonly { readonly le: number; readonly cumulative: number }[];
  readonly sum: number | undefined;
  readonly count: number | undefined;
}

/** `le` samples, `_sum` and `_count` to a distribution with per-bucket counts. What does not add up is refused: half a histogram is a wrong one. */
export function assembleHistogram(parts: HistogramParts): Result<BucketDistribution, string> {
  const last = parts.buckets.at(-1);
  const total = last?.le === Number.POSITIVE_INFINITY ? last.cumulative : parts.count;
  if (last === undefined || total === undefined) return err("no +Inf bucket and no _count");
  if (parts.sum === undefined) return err("no _sum");
  if (!Number.isFinite(parts.sum)) return err(`_sum is ${parts.sum}`);
  const le: number[] = [];
  const counts: number[] = [];
  let below = 0;
  for (const bucket of parts.buckets) {
    if (!(bucket.cumulative >= below)) return err(`bucket le=${bucket.le} holds ${bucket.cumulative}, the one below it ${below}`);
    if (bucket.le === Number.POSITIVE_INFINITY) break;
    le.push(bucket.le);
    counts.push(bucket.cumulative - below);
    below = bucket.cumulative;
  }
  if (!(total >= below) || !Number.isFinite(total)) return err(`${total} samples in all, ${below} below the last bound`);
  counts.push(total - below);
  return ok({ kind: "buckets", le, counts, sum: parts.sum, count: total });
}
