import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSketch } from "../../../core/sketch/builder.ts";
import type { Distribution } from "../../../core/distribution.ts";
import { summarizeSum } from "../../../scaler/intake/convolve.ts";

const sketchOf = (values: readonly number[]): Distribution => {
  const sketch = createSketch();
  for (const v of values) sketch.add(v);
  return { kind: "sketch", sketch: sketch.toData() };
};

describe("the sum of two independent waits", () => {
  const values = fc.array(fc.double({ min: 0.01, max: 10, noNaN: true }), { minLength: 200, maxLength: 400 });

  test("has the sum of the means, and quantiles near the exact ones", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const sum = summarizeSum(sketchOf(a), sketchOf(b), 5);
        const exact = a.flatMap((x) => b.map((y) => x + y)).sort((x, y) => x - y);
        const mean = (xs: readonly number[]): number => xs.reduce((x, y) => x + y, 0) / xs.length;
        expect(sum?.mean).toBeCloseTo(mean(a) + mean(b), 6);
        // Within two percentile ranks and the sketch's error.
        const at = (q: number): number => exact[Math.min(exact.length - 1, Math.max(0, Math.round(q * exact.length)))] ?? 0;
        expect(sum?.p90).toBeGreaterThanOrEqual(at(0.87) * 0.97);
        expect(sum?.p90).toBeLessThanOrEqual(at(0.93) * 1.03);
        const share = exact.filter((x) => x <= 5).length / exact.length;
        expect(Math.abs((sum?.within ?? 0) / (sum?.count ?? 1) - share)).toBeLessThan(0.05);
      }),
      { numRuns: 20 },
    );
  });

  test("is unknown when either is", () => {
    expect(summarizeSum(sketchOf([]), sketchOf([1]))).toBeUndefined();
  });
});
