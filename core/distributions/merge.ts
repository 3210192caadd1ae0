import type { Distribution, SketchData } from "../distribution.ts";
import { upperBound, bucketBase } from "../sketch/exponential.ts";
import { mergeSketches } from "../sketch/merge.ts";
import type { BucketDistribution } from "./bucket-distribution.ts";

/**
 * Pools two distributions of the same signal.
 *
 * Buckets with equal bounds add exactly. With different bounds (two engine versions in one pool) both are brought to the bounds they have in
 * COMMON: counts stay exact and the merge stays associative and commutative; only resolution is lost. Splitting counts over the union of the
 * bounds would invent values and depend on the order of merging.
 *
 * The two kinds are never mixed by design; should a peer send both for one signal, the sketch is poured into the buckets' bounds so that
 * nothing is dropped and nothing throws.
 */
export function mergeDistributions(a: Distribution, b: Distribution): Distribution {
  if (a.kind === "sketch")
    return b.kind === "sketch" ? { kind: "sketch", sketch: mergeSketches(a.sketch, b.sketch) } : mergeBuckets(pour(a.sketch, b.le), b);
  return mergeBuckets(a, b.kind === "buckets" ? b : pour(b.sketch, a.le));
}

export function mergeBuckets(a: BucketDistribution, b: BucketDistribution): BucketDistribution {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const same = sameBounds(a.le, b.le);
  const le = same ? a.le : a.le.filter((bound) => b.le.includes(bound));
  const x = same ? a.counts : coarsen(a, le);
  const y = same ? b.counts : coarsen(b, le);
  return { kind: "buckets", le, counts: x.map((c, i) => c + (y[i] ?? 0)), sum: a.sum + b.sum, count: a.count + b.count };
}

export const sameBounds = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]));

/** The same counts on fewer bounds; `le` must be a subset of the distribution's own. */
function coarsen(d: BucketDistribution, le: readonly number[]): number[] {
  const counts = new Array<number>(le.length + 1).fill(0);
  let to = 0;
  d.counts.forEach((count, i) => {
    counts[to] = (counts[to] ?? 0) + count;
    if (to < le.length && d.le[i] === le[to]) to++;
  });
  return counts;
}

function pour(sketch: SketchData, le: readonly number[]): BucketDistribution {
  const counts = new Array<number>(le.length + 1).fill(0);
  const put = (value: number, count: number): void => {
    const found = le.findIndex((bound) => value <= bound);
    const at = found < 0 ? le.length : found;
    counts[at] = (counts[at] ?? 0) + count;
  };
  put(0, sketch.zeros);
  const base = bucketBase(sketch.scale);
  sketch.counts.forEach((count, i) => put((2 * upperBound(sketch.offset + i, sketch.scale)) / (base + 1), count));
  return { kind: "buckets", le, counts, sum: sketch.sum, count: sketch.count };
}
