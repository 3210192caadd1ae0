import { DDSketch } from "@datadog/sketches-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SketchData } from "../../../core/distribution.ts";
import { createSketch } from "../../../core/sketch/builder.ts";
import { bucketBase, emptySketch, MAX_BUCKETS } from "../../../core/sketch/exponential.ts";
import { mergeSketches } from "../../../core/sketch/merge.ts";
import { sketchCountAtMost, sketchQuantile } from "../../../core/sketch/quantile.ts";
import { measurement, sketch, sketchOf } from "./arbitraries.ts";

/** Sums are floating point and depend on order in their last digits; everything else must be equal. */
const exact = ({ sum: _, ...rest }: SketchData): Omit<SketchData, "sum"> => rest;

describe("merging sketches", () => {
  it("is commutative and associative on everything but the last digits of the sum", () => {
    fc.assert(
      fc.property(sketch, sketch, sketch, (a, b, c) => {
        expect(exact(mergeSketches(a, b))).toEqual(exact(mergeSketches(b, a)));
        const left = mergeSketches(mergeSketches(a, b), c);
        const right = mergeSketches(a, mergeSketches(b, c));
        expect(exact(left)).toEqual(exact(right));
        expect(Math.abs(left.sum - right.sum)).toBeLessThanOrEqual(1e-9 * Math.abs(left.sum));
      }),
      { numRuns: 300 },
    );
  });

  it("equals adding both streams to one sketch", () => {
    fc.assert(
      fc.property(fc.array(measurement, { maxLength: 80 }), fc.array(measurement, { maxLength: 80 }), (a, b) => {
        expect(exact(mergeSketches(sketchOf(a), sketchOf(b)))).toEqual(exact(sketchOf([...a, ...b])));
      }),
    );
  });

  it("has the empty sketch as identity, whatever its scale", () => {
    fc.assert(
      fc.property(sketch, fc.integer({ min: -4, max: 10 }), (a, scale) => {
        fc.pre(a.count > 0);
        expect(mergeSketches(a, emptySketch(scale))).toEqual(a);
        expect(mergeSketches(emptySketch(scale), a)).toEqual(a);
      }),
    );
  });
});

describe("a sketch", () => {
  it("keeps every count within the bucket bound, even from 1e-300 to 1e300", () => {
    const data = sketchOf([1e-300, 1e-8, 3, 1e300]);
    expect(data.counts.length).toBeLessThanOrEqual(MAX_BUCKETS);
    expect(data.zeros + data.counts.reduce((sum, c) => sum + c, 0)).toBe(4);
    expect(data.zeros).toBe(1);
    expect(data.scale).toBeLessThan(5);
  });

  it("ignores what is not a measurement", () => {
    const builder = createSketch();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) builder.add(value);
    builder.add(1, 0);
    builder.add(1, -3);
    builder.add(1, Number.NaN);
    expect(builder.toData()).toEqual(emptySketch());
    builder.add(2, 5);
    expect(builder.toData()).toMatchObject({ count: 5, sum: 10, min: 2, max: 2 });
    builder.reset();
    expect(builder.toData().count).toBe(0);
  });

  it("counts a value exactly at a power of two in the bucket below it", () => {
    // (base^i, base^(i+1)] with base^32 = 2 at scale 5: 1 is the upper end of bucket -1.
    expect(sketchOf([1])).toMatchObject({ offset: -1, counts: [1] });
    expect(sketchOf([2])).toMatchObject({ offset: 31, counts: [1] });
  });
});

describe("a quantile", () => {
  it("is within (base − 1)/(base + 1) of the sample at that rank", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const data = sketchOf(values);
          const sorted = [...values].sort((a, b) => a - b);
          const truth = sorted[Math.floor(q * (values.length - 1))] ?? 0;
          const base = bucketBase(data.scale);
          const error = Math.abs((sketchQuantile(data, q) ?? 0) - truth) / truth;
          expect(error).toBeLessThanOrEqual(((base - 1) / (base + 1)) * (1 + 1e-9));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("agrees with DDSketch of the same accuracy within the error of both", () => {
    const accuracy = 0.0109;
    const oracle = new DDSketch({ relativeAccuracy: accuracy });
    const own = createSketch();
    let state = 12345;
    for (let i = 0; i < 20_000; i++) {
      state = (state * 1103515245 + 12345) % 2147483648;
      const value = Math.exp(-4 + 5 * (state / 2147483648) ** 3);
      oracle.accept(value);
      own.add(value);
    }
    const data = own.toData();
    for (const q of [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999]) {
      const expected = oracle.getValueAtQuantile(q);
      expect(Math.abs((sketchQuantile(data, q) ?? 0) - expected) / expected).toBeLessThanOrEqual(2 * accuracy);
    }
    expect(data.count).toBe(oracle.count);
    expect(data.sum).toBeCloseTo(oracle.sum, 6);
  });

  it("is absent without samples and outside 0..1", () => {
    expect(sketchQuantile(emptySketch(), 0.5)).toBeUndefined();
    expect(sketchQuantile(sketchOf([1]), 1.5)).toBeUndefined();
    expect(sketchQuantile(sketchOf([1]), Number.NaN)).toBeUndefined();
    expect(sketchQuantile(sketchOf([0, 0, 0]), 0.5)).toBe(0);
  });
});

describe("counting values at most x", () => {
  it("is monotone in x, exact outside the range, and off by at most one bucket inside", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-6, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 100 }), measurement, (values, x) => {
        const data = sketchOf(values);
        const base = bucketBase(data.scale);
        const got = sketchCountAtMost(data, x);
        const atLeast = values.filter((v) => v * base * (1 + 1e-12) <= x).length;
        const atMost = values.filter((v) => v <= x * base * (1 + 1e-12)).length;
        expect(got).toBeGreaterThanOrEqual(atLeast - 1e-9);
        expect(got).toBeLessThanOrEqual(atMost + 1e-9);
        expect(sketchCountAtMost(data, x * 1.5)).toBeGreaterThanOrEqual(got - 1e-9);
      }),
    );
    const data = sketchOf([1, 2, 3]);
    expect(sketchCountAtMost(data, 3)).toBe(3);
    expect(sketchCountAtMost(data, 0.5)).toBe(0);
    expect(sketchCountAtMost(data, Number.NaN)).toBe(0);
    expect(sketchCountAtMost(sketchOf([0, 5]), 0)).toBe(1);
  });
});
