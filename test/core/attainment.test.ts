import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attainedShare } from "../../core/attainment.ts";

const summary = { count: 200, mean: 0.2, p50: 0.18, p90: 0.3, p95: 0.4, p99: 0.8 };

describe("attained share", () => {
  it("is exact where samples were counted", () => {
    expect(attainedShare({ ...summary, within: 150 }, 0.01)).toBe(0.75);
  });

  it("is read off the quantiles otherwise", () => {
    expect(attainedShare(summary, 0.18)).toBeCloseTo(0.5, 12);
    expect(attainedShare(summary, 0.35)).toBeCloseTo(0.925, 12);
    expect(attainedShare(summary, 0.9)).toBe(1);
    expect(attainedShare({ ...summary, count: 0 }, 1)).toBeUndefined();
  });

  it("rises with the target and stays a share", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2, noNaN: true }), fc.double({ min: 0, max: 2, noNaN: true }), (a, b) => {
        const [low, high] = [attainedShare(summary, Math.min(a, b)) ?? -1, attainedShare(summary, Math.max(a, b)) ?? -1];
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeGreaterThanOrEqual(low);
        expect(high).toBeLessThanOrEqual(1);
      }),
    );
  });
});
