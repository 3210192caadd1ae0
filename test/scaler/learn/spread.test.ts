import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spreadOf } from "../../../scaler/learn/spread.ts";

const Z90 = 1.281551565544601;
const Z99 = 2.326347874040841;
const lognormal = (median: number, sigma: number) => ({
  p50: median,
  p90: median * Math.exp(sigma * Z90),
  p99: median * Math.exp(sigma * Z99),
});

describe("spread of lengths", () => {
  it("is e^(σ²) for a lognormal, and 1 when all are equal", () => {
    for (const sigma of [0.2, 0.6, 1, 1.4]) expect(spreadOf(lognormal(700, sigma)) / Math.exp(sigma ** 2)).toBeCloseTo(1, 2);
    expect(spreadOf({ p50: 300, p90: 300, p99: 300 })).toBeCloseTo(1, 6);
  });

  it("is near the truth for many short prompts with some long ones, where mean over median is not", () => {
    const lengths = Array.from({ length: 10_000 }, (_, i) => (i % 100 < 80 ? 100 + (i % 37) : 2000 + 10 * (i % 83))).sort((a, b) => a - b);
    const at = (q: number): number => lengths[Math.floor(q * lengths.length)] ?? 0;
    const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length;
    const truth = lengths.reduce((a, b) => a + b * b, 0) / lengths.length / mean ** 2;
    const ours = spreadOf({ p50: at(0.5), p90: at(0.9), p99: at(0.99) });
    const single = (mean / at(0.5)) ** 2;
    expect(Math.abs(Math.log(ours / truth))).toBeLessThan(0.5 * Math.abs(Math.log(single / truth)));
  });

  it("is at least 1 and does not depend on the unit", () => {
    const ordered = fc.tuple(
      fc.double({ min: 1, max: 1e4, noNaN: true }),
      fc.double({ min: 1, max: 20, noNaN: true }),
      fc.double({ min: 1, max: 20, noNaN: true }),
    );
    fc.assert(
      fc.property(ordered, ([p50, a, b]) => {
        const q = { p50, p90: p50 * a, p99: p50 * a * b };
        const s = spreadOf(q);
        expect(s).toBeGreaterThanOrEqual(1 - 1e-6);
        expect(spreadOf({ p50: q.p50 * 8, p90: q.p90 * 8, p99: q.p99 * 8 }) / s).toBeCloseTo(1, 6);
      }),
    );
  });
});
