import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { believesRamps, noRamps, rampAhead, scoreRamp } from "../../../scaler/learn/ramp.ts";

/** What rampAhead says at the last of the rates, one per 5 s. */
function ahead(rates: readonly number[], seconds = 60): number | undefined {
  const recent = rates.map((now, i) => ({ at: 5 * (i + 1), now }));
  return rampAhead(recent, rates.at(-1) ?? 0, { at: 5 * rates.length, ahead: seconds });
}

const rates = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));

describe("ramps", () => {
  it("foretell most of what a steady climb becomes, and never more than twice what there is", () => {
    const last = 100 + 5 * 23;
    expect(ahead(rates(24, (i) => 100 + 5 * i))).toBeCloseTo(last + 0.8 * 1 * 60, 6);
    expect(
      ahead(
        rates(24, (i) => 100 + 5 * i),
        1e6,
      ),
    ).toBe(2 * last);
  });

  it("are not seen in level, falling or jumping traffic, nor in less than a minute of it", () => {
    expect(ahead(rates(24, () => 100))).toBeUndefined();
    expect(ahead(rates(24, (i) => 500 - 5 * i))).toBeUndefined();
    for (let jump = 1; jump < 24; jump++) expect(ahead(rates(24, (i) => (i < jump ? 100 : 300)))).toBeUndefined();
    expect(ahead(rates(8, (i) => 100 + 5 * i))).toBeUndefined();
    expect(ahead([])).toBeUndefined();
  });

  it("scale with the unit", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1, max: 1e4, noNaN: true }), { minLength: 12, maxLength: 30 }), (xs) => {
        const one = ahead(xs);
        const thousand = ahead(xs.map((x) => x * 1024));
        if (one === undefined) expect(thousand).toBeUndefined();
        else expect(thousand).toBeCloseTo(one * 1024, 3);
      }),
    );
  });

  it("are followed at first, no longer after they led nowhere, and again after ignoring one cost more", () => {
    let record = noRamps;
    expect(believesRamps(record)).toBe(true);
    for (let i = 0; i < 10; i++) record = scoreRamp(record, 10, 1);
    expect(believesRamps(record)).toBe(false);
    for (let i = 0; i < 10; i++) record = scoreRamp(record, 1, 90);
    expect(believesRamps(record)).toBe(true);
  });
});
