import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FORECASTERS, forecastRate, noForecasts, pinball, type ForecasterName } from "../../../scaler/learn/forecaster.ts";
import { addEwma, emptyEwma, ewmaMean } from "../../../scaler/learn/ewma.ts";

/** Feeds a rate per 5 s tick; gives what was planned for at each tick, and by whom. */
function feed(rates: readonly number[], horizon: number, ease = 0): { rate: number; by: ForecasterName }[] {
  let state = noForecasts;
  let [now, fast, slow] = [emptyEwma, emptyEwma, emptyEwma];
  return rates.map((rate, i) => {
    now = addEwma(now, rate, 5, 4);
    fast = addEwma(fast, rate, 5, 10);
    slow = addEwma(slow, rate, 5, 60);
    const levels = { now: ewmaMean(now) ?? 0, fast: ewmaMean(fast) ?? 0, slow: ewmaMean(slow) ?? 0 };
    const said = forecastRate(state, levels, { at: (i + 1) * 5, horizon, span: 5, ease });
    state = said.state;
    expect(state.pending.length).toBeLessThanOrEqual(600);
    expect(state.recent.length).toBeLessThanOrEqual(61);
    return said;
  });
}

const steady = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));

describe("forecasters chosen by pinball loss", () => {
  it("a loss counts too little nine times as much as too much", () => {
    expect(pinball(100, 90)).toBeCloseTo(9, 12);
    expect(pinball(90, 100)).toBeCloseTo(1, 12);
  });

  it("on steady traffic plan for what is there, whoever speaks", () => {
    for (const { rate } of feed(
      steady(200, () => 1000),
      60,
    ).slice(20))
      expect(rate).toBeCloseTo(1000, 0);
  });

  it("on bursts that come back plan near their height, not for their mean", () => {
    const last = feed(
      steady(300, (i) => (i % 14 < 4 ? 3000 : 600)),
      60,
    ).slice(200);
    const mean = last.reduce((sum, x) => sum + x.rate, 0) / last.length;
    expect(mean).toBeGreaterThan(1500);
    expect(mean).toBeLessThan(3200);
  });

  it("with an error budget to save with, plan such bursts for their median", () => {
    const bursts = steady(300, (i) => (i % 14 < 4 ? 3000 : 600));
    const mean = (ease: number): number =>
      feed(bursts, 60, ease)
        .slice(200)
        .reduce((sum, x) => sum + x.rate / 100, 0);
    expect(mean(1)).toBeLessThan(0.7 * mean(0));
    expect(mean(0.5)).toBeLessThanOrEqual(mean(0));
    expect(mean(1)).toBeGreaterThan(600);
  });

  it("on a long ramp come closer to the future than the present does", () => {
    const ramp = (i: number): number => 500 + i * 50;
    const said = feed(steady(120, ramp), 60);
    // Twelve ticks of 5 s ahead.
    const late = said.map((x, i) => ({ error: Math.abs(x.rate - ramp(i + 12)), naive: 12 * 50 })).slice(60);
    const share = late.filter((x) => x.error < x.naive).length / late.length;
    expect(share).toBeGreaterThan(0.9);
  });

  it("leave a level for good that is far below all of the last minutes, although it was the peak", () => {
    const said = feed(
      steady(140, (i) => (i < 100 ? 4000 + 40 * (i % 3) : 400)),
      60,
    );
    // Ten ticks after the fall: the ten-second mean has come down, the sixty-second one and the peak of five minutes have not.
    expect(said[110]?.rate).toBeLessThan(800);
  });

  it("see a ramp within its first minute, whatever the scores of the level hour before it say", () => {
    const said = feed(
      steady(260, (i) => (i < 240 ? 1000 : 1000 + 80 * (i - 239))),
      60,
    );
    const at = said[253];
    // 1000 + 80·14 when it is said; 12 ticks later it is 80·12 more.
    expect(at?.by).toBe("ramp");
    expect(at?.rate).toBeGreaterThan(2500);
    expect(at?.rate).toBeLessThan(3400);
  });

  it("follow a level never seen lately at once, whatever the scores say", () => {
    const said = feed(
      steady(140, (i) => (i < 100 ? 1000 : 4000)),
      60,
    );
    expect(said[104]?.rate).toBeGreaterThan(3000);
    expect(["surge", "trend"]).toContain(said[103]?.by);
  });

  it("never plan for less than nothing or for more than 1.6 times what was seen", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 80 }),
        fc.integer({ min: 5, max: 300 }),
        (rates, horizon) => {
          const most = Math.max(...rates);
          for (const { rate, by } of feed(rates, horizon)) {
            expect(rate).toBeGreaterThanOrEqual(0);
            expect(rate).toBeLessThanOrEqual(1.6 * most + 1e-6);
            expect(FORECASTERS).toContain(by);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
