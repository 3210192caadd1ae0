import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ease, spend, spent, unknownBudget, type ErrorBudget } from "../../../scaler/learn/error-budget.ts";

/** `hours` of five-second intervals with 100 requests each, of which `attained` met the target. */
function after(hours: number, attained: number, counted = true, from: ErrorBudget = unknownBudget): ErrorBudget {
  let b = from;
  for (let i = 0; i < hours * 720; i++) b = spend(b, { span: 5, count: 100, attained, counted });
  return b;
}

describe("an objective's error budget", () => {
  it("counts as spent until it was seen otherwise, so nothing is eased at first", () => {
    expect(spent(unknownBudget, 0.95)).toBe(1);
    expect(ease(spent(unknownBudget, 0.95))).toBe(0);
    expect(ease(spent(after(0.1, 1), 0.95))).toBeLessThan(0.11);
  });

  it("is all there after hours without a miss, and half spent where half of what may miss does", () => {
    expect(spent(after(12, 1), 0.95)).toBeCloseTo(0, 2);
    expect(spent(after(12, 0.975), 0.95)).toBeCloseTo(0.5, 2);
    expect(ease(spent(after(12, 0.98), 0.95))).toBe(1);
  });

  it("is overspent where more misses than may, and that is remembered for hours and forgotten in a day", () => {
    const bad = after(2, 0.8);
    expect(spent(bad, 0.95)).toBeGreaterThan(2);
    expect(ease(spent(after(1, 1, true, bad), 0.95))).toBe(0);
    expect(ease(spent(after(24, 1, true, bad), 0.95))).toBe(1);
  });

  it("weighs misses by requests: a quiet night does not pay for a bad day", () => {
    const day = after(2, 0.9);
    let night = day;
    for (let i = 0; i < 720; i++) night = spend(night, { span: 5, count: 1, attained: 1, counted: true });
    expect(spent(night, 0.95)).toBeGreaterThan(1);
  });

  it("takes a tail that was not counted for half missed: an objective at 0.99 is not read as never missed", () => {
    expect(spent(after(12, 1, false), 0.99)).toBeCloseTo(0.5, 1);
    expect(spent(after(12, 1, false), 0.95)).toBeCloseTo(0.1, 1);
  });

  it("eases between nothing and everything, and never more for more misses", () => {
    const intervals = fc.array(
      fc.record({
        span: fc.double({ min: 1, max: 60, noNaN: true }),
        count: fc.nat(1000),
        attained: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(
        intervals,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(0.5, 0.9, 0.95, 0.99, 0.999),
        (all, worse, quantile) => {
          const fold = (factor: number): number =>
            ease(
              spent(
                all.reduce((b, i) => spend(b, { ...i, attained: i.attained * factor, counted: true }), unknownBudget),
                quantile,
              ),
            );
          const [good, bad] = [fold(1), fold(worse)];
          expect(good).toBeGreaterThanOrEqual(0);
          expect(good).toBeLessThanOrEqual(1);
          expect(bad).toBeLessThanOrEqual(good + 1e-9);
        },
      ),
    );
  });
});
