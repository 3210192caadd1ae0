import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addEwma, emptyEwma, ewmaMean } from "../../../scaler/learn/ewma.ts";
import type { Levels } from "../../../scaler/learn/forecaster.ts";
import { withoutNoise } from "../../../scaler/learn/noise.ts";

/** Means of a rate per 5 s interval, and the quickest mean's past, as the forecaster has them. */
function levelsOf(rates: readonly number[]): { levels: Levels; recent: { now: number }[] } {
  let [now, fast, slow] = [emptyEwma, emptyEwma, emptyEwma];
  const recent: { now: number }[] = [];
  for (const rate of rates) {
    now = addEwma(now, rate, 5, 4);
    fast = addEwma(fast, rate, 5, 10);
    slow = addEwma(slow, rate, 5, 60);
    recent.push({ now: ewmaMean(now) ?? 0 });
  }
  return { levels: { now: ewmaMean(now) ?? 0, fast: ewmaMean(fast) ?? 0, slow: ewmaMean(slow) ?? 0 }, recent: recent.slice(-60) };
}

/** A fixed sequence that looks like chance: mean 0, standard deviation about 1. */
function chance(n: number, seed: number): number[] {
  let x = seed;
  const uniform = (): number => {
    x = (x * 48_271) % 2_147_483_647;
    return x / 2_147_483_647;
  };
  return Array.from({ length: n }, () => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, -6));
}

describe("means without their noise", () => {
  it("stay closer to the true level than the means themselves", () => {
    const squares = { raw: 0, kept: 0 };
    for (let seed = 1; seed <= 200; seed++) {
      const { levels, recent } = levelsOf(chance(80, seed * 7919).map((z) => 1000 + 100 * z));
      squares.raw += (levels.fast - 1000) ** 2;
      squares.kept += (withoutNoise(levels, recent, 5).fast - 1000) ** 2;
    }
    expect(squares.kept).toBeLessThan(0.5 * squares.raw);
  });

  it("still show a step that is larger than the noise, less 2 standard errors", () => {
    const noise = chance(80, 4711).map((z) => 1000 + 50 * z);
    const { levels, recent } = levelsOf([...noise, 3000, 3000, 3000]);
    const kept = withoutNoise(levels, recent, 5);
    expect(kept.fast).toBeGreaterThan(levels.fast - 130);
    expect(kept.fast).toBeLessThan(levels.fast);
  });

  it("lie between the slow mean and the quick one, and scale with the unit", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 90 }), (rates) => {
        const { levels, recent } = levelsOf(rates);
        const kept = withoutNoise(levels, recent, 5);
        for (const of of ["now", "fast"] as const) {
          expect(kept[of]).toBeGreaterThanOrEqual(Math.min(levels.slow, levels[of]) - 1e-6);
          expect(kept[of]).toBeLessThanOrEqual(Math.max(levels.slow, levels[of]) + 1e-6);
        }
        const thousand = (l: Levels): Levels => ({ now: l.now * 1024, fast: l.fast * 1024, slow: l.slow * 1024 });
        const scaled = withoutNoise(
          thousand(levels),
          recent.map((r) => ({ now: r.now * 1024 })),
          5,
        );
        expect(scaled.fast).toBeCloseTo(kept.fast * 1024, 3);
      }),
    );
  });
});
