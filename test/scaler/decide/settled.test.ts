import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tokensPerSecond } from "../../../core/units.ts";
import type { Demand } from "../../../scaler/decide/demand.ts";
import { heaviest, type Moment } from "../../../scaler/decide/settled.ts";

const LENGTHS = { isl: 1000, uncached: 1000, uncachedP95: 3000, spread: 2, osl: 200, context: 1100, cacheShare: 0 };

function moment(at: number, planned: number, seen: number): Moment {
  const demand: Demand = {
    arrivals: planned,
    prefillTokens: tokensPerSecond(planned * 1000),
    prefillTokensNow: tokensPerSecond(seen * 1000),
    decodeTokens: tokensPerSecond(planned * 200),
    lengths: LENGTHS,
    burstiness: 1,
  };
  return { at, demand, level: { arrivals: seen, prefillTokens: seen * 1000, decodeTokens: seen * 200 } };
}

/** A false alarm at 0 s: 100 requests a second were planned for, 10 went on coming. */
const alarm = (until: number): [...Moment[], Moment] => [
  moment(0, 100, 12),
  ...Array.from({ length: until / 5 - 1 }, (_, i) => moment(5 + i * 5, 10, 10)),
  moment(until, 10, 10),
];

describe("the heaviest demand of the window", () => {
  test("a forecast speaks until its time has come, then for no more than what came", () => {
    expect(heaviest(alarm(100), 100, 60).arrivals).toBe(100);
    expect(heaviest(alarm(200), 200, 60)).toMatchObject({ arrivals: 12, prefillTokens: 12_000, decodeTokens: 2400 });
    // With a lead time of minutes it has not come yet.
    expect(heaviest(alarm(200), 200, 400).arrivals).toBe(100);
  });

  test("one that came true stays for the whole window", () => {
    const window: [...Moment[], Moment] = [moment(0, 100, 12), moment(90, 110, 100), moment(280, 10, 10)];
    expect(heaviest(window, 280, 60).arrivals).toBe(100);
  });

  test("never below what is planned for now, nor above the heaviest forecast", () => {
    const moments = fc.array(fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true })), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(moments, fc.integer({ min: 5, max: 400 }), (list, horizon) => {
        const [first, ...rest] = list.map(([planned, seen], i) => moment(i * 5, planned, seen));
        if (first === undefined) return;
        const ordered = [first, ...rest];
        const last = ordered.at(-1) ?? first;
        const { arrivals } = heaviest([...ordered.slice(0, -1), last], last.at, horizon);
        expect(arrivals).toBeGreaterThanOrEqual(last.demand.arrivals);
        expect(arrivals).toBeLessThanOrEqual(Math.max(...ordered.map((m) => m.demand.arrivals)));
      }),
    );
  });
});
