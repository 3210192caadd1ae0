import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Distribution } from "../../../core/distribution.ts";
import type { BucketDistribution } from "../../../core/distributions/bucket-distribution.ts";
import { counterDelta, subtractBuckets } from "../../../core/distributions/delta.ts";
import { countOf, isEmpty, sumOf } from "../../../core/distributions/empty.ts";
import { mergeBuckets, mergeDistributions } from "../../../core/distributions/merge.ts";
import { quantileOf } from "../../../core/distributions/quantile.ts";
import { summarize } from "../../../core/distributions/summary.ts";
import { countWithin } from "../../../core/distributions/within.ts";
import { sketchOf } from "../sketch/arbitraries.ts";

const histogram = (le: readonly number[], counts: readonly number[], sum = 1): BucketDistribution => ({
  kind: "buckets",
  le,
  counts,
  sum,
  count: counts.reduce((total, c) => total + c, 0),
});

const bounds = fc.constantFrom([0.1, 0.2, 0.5, 1], [0.1, 0.5, 1, 5], [0.25, 0.5], []);
const buckets = bounds.chain((le) =>
  fc
    .array(fc.integer({ min: 0, max: 1000 }), { minLength: le.length + 1, maxLength: le.length + 1 })
    .map((counts) => histogram(le, counts, 7)),
);

describe("merging histograms", () => {
  it("adds equal bounds bucket by bucket", () => {
    expect(mergeBuckets(histogram([1, 2], [1, 2, 3], 10), histogram([1, 2], [10, 20, 30], 5))).toEqual(histogram([1, 2], [11, 22, 33], 15));
  });

  it("brings different bounds to those in common, without moving a single count", () => {
    expect(mergeBuckets(histogram([1, 2, 4], [1, 2, 3, 4]), histogram([2, 3, 4, 8], [1, 1, 1, 1, 1]))).toEqual(
      histogram([2, 4], [4, 5, 6], 2),
    );
  });

  it("is commutative and associative for any mix of bounds", () => {
    const filled = buckets.filter((d) => d.count > 0);
    fc.assert(
      fc.property(filled, filled, filled, (a, b, c) => {
        expect(mergeBuckets(a, b)).toEqual(mergeBuckets(b, a));
        expect(mergeBuckets(mergeBuckets(a, b), c)).toEqual(mergeBuckets(a, mergeBuckets(b, c)));
      }),
    );
  });

  it("never loses a sample, also when a peer mixes the kinds", () => {
    const any: fc.Arbitrary<Distribution> = fc.oneof(
      buckets,
      fc
        .array(fc.double({ min: 0, max: 10, noNaN: true }), { maxLength: 20 })
        .map((v): Distribution => ({ kind: "sketch", sketch: sketchOf(v) })),
    );
    fc.assert(
      fc.property(any, any, (a, b) => {
        const merged = mergeDistributions(a, b);
        expect(countOf(merged)).toBe(countOf(a) + countOf(b));
        expect(isEmpty(merged)).toBe(isEmpty(a) && isEmpty(b));
      }),
    );
  });
});

describe("cumulative to interval", () => {
  it("gives back what was added between two reads", () => {
    fc.assert(
      fc.property(buckets, buckets, (before, more) => {
        fc.pre(before.le === more.le && more.count > 0 && before.count > 0);
        const { delta, reset } = subtractBuckets(mergeBuckets(before, more), before);
        expect(reset).toBe(false);
        expect(delta.counts).toEqual(more.counts);
        expect(delta.sum).toBeCloseTo(more.sum, 9);
      }),
    );
  });

  it("takes a histogram that went back, or changed its bounds, as a restart", () => {
    const now = histogram([1, 2], [1, 0, 0], 0.5);
    expect(subtractBuckets(now, histogram([1, 2], [5, 5, 5]))).toEqual({ delta: now, reset: true });
    expect(subtractBuckets(now, histogram([1, 3], [0, 0, 0]))).toEqual({ delta: now, reset: true });
    // The total grew, a bucket shrank: a restart too.
    expect(subtractBuckets(histogram([1], [0, 9]), histogram([1], [4, 0])).reset).toBe(true);
    expect(counterDelta(10, 4)).toEqual({ delta: 6, reset: false });
    expect(counterDelta(3, 100)).toEqual({ delta: 3, reset: true });
  });
});

describe("quantiles and targets of histograms", () => {
  const d = histogram([0.1, 0.2, 0.4], [10, 20, 10, 10], 12);

  it("interpolate as histogram_quantile does", () => {
    expect(quantileOf(d, 0.5)).toBeCloseTo(0.175, 12);
    expect(quantileOf(d, 0.1)).toBeCloseTo(0.05, 12);
    expect(quantileOf(d, 0.8)).toBeCloseTo(0.4, 12);
    expect(quantileOf(d, 0.99)).toBe(0.4);
    expect(quantileOf(histogram([], [4], 8), 0.5)).toBe(2);
    expect(quantileOf(histogram([1], [0, 0]), 0.5)).toBeUndefined();
  });

  it("count what is within a target, and nothing of what lies above the last bound", () => {
    expect(countWithin(d, 0.2)).toBe(30);
    expect(countWithin(d, 0.3)).toBeCloseTo(35, 12);
    expect(countWithin(d, 100)).toBe(40);
    expect(countWithin(d, 0)).toBe(0);
    expect(countWithin(d, Number.POSITIVE_INFINITY)).toBe(50);
  });

  it("are inverse to each other inside a bucket", () => {
    fc.assert(
      fc.property(
        buckets.filter((b) => b.count > 0 && b.le.length > 0),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (b, q) => {
          const value = quantileOf(b, q) ?? 0;
          fc.pre(value < (b.le.at(-1) ?? 0));
          expect(countWithin(b, value)).toBeGreaterThanOrEqual(q * b.count - 1e-6);
        },
      ),
    );
  });
});

describe("a summary", () => {
  it("is absent for an empty distribution", () => {
    expect(summarize(histogram([1], [0, 0], 0))).toBeUndefined();
    expect(summarize({ kind: "sketch", sketch: sketchOf([]) }, 1)).toBeUndefined();
  });

  it("holds count, mean, ordered quantiles, and the count within a target when there is one", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.001, max: 100, noNaN: true }), { minLength: 1, maxLength: 50 }), (values) => {
        const d: Distribution = { kind: "sketch", sketch: sketchOf(values) };
        const s = summarize(d, 1);
        expect(s?.count).toBe(values.length);
        expect(s?.mean).toBeCloseTo(sumOf(d) / values.length, 9);
        expect(s).toSatisfy((x: typeof s) => x !== undefined && x.p50 <= x.p90 && x.p90 <= x.p95 && x.p95 <= x.p99);
        expect(s?.within).toBeGreaterThanOrEqual(0);
      }),
    );
    expect(summarize(histogram([1], [3, 1], 2))).not.toHaveProperty("within");
  });
});
