import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linkKey, type LinkTallies } from "../../../scaler/intake/link-tally.ts";
import { judgeLinks, type LinkStandings, standLinks } from "../../../scaler/intake/slow-links.ts";

/** Links by name with their mean seconds per transfer of 1000 tokens. */
const links = (of: Readonly<Record<string, number>>, transfers = 50): LinkTallies =>
  new Map(Object.entries(of).map(([key, mean]) => [key, { transfers, seconds: transfers * mean, tokens: transfers * 1000, failures: 0 }]));

const HEALTHY = { "a b": 0.02, "a c": 0.022, "b c": 0.019, "c b": 0.021 };
const verdictsOf = (all: LinkTallies) => Object.fromEntries([...judgeLinks(all)].map(([key, { verdict }]) => [key, verdict]));

describe("slow links", () => {
  test("are those twice as slow as the median; the rest are as usual or neither", () => {
    expect(verdictsOf(links(HEALTHY))).toEqual({ "a b": "good", "a c": "good", "b c": "good", "c b": "good" });
    const mixed = links({ ...HEALTHY, "a d": 0.07, "d b": 0.035 });
    expect(verdictsOf(mixed)).toMatchObject({ "a d": "bad", "d b": undefined, "a b": "good" });
    expect(judgeLinks(mixed).get("a d")?.slowness).toBeCloseTo(0.07 / 0.0215, 1);
  });

  test("are not named on few transfers, among two links, or within a node", () => {
    expect(verdictsOf(links({ ...HEALTHY, "a d": 0.07 }, 10))).toEqual({});
    expect(verdictsOf(links({ "a b": 0.02, "b a": 0.2 }))).toEqual({});
    expect(verdictsOf(links({ ...HEALTHY, "a a": 0.2, [linkKey("", "b")]: 0.2, "other other": 0.2 }))).not.toHaveProperty("a a");
  });

  test("do not depend on the unit or the size of the model, nor on how long was counted", () => {
    const mean = fc.double({ min: 1e-3, max: 1, noNaN: true });
    const many = fc.dictionary(fc.constantFrom("a b", "a c", "b a", "b c", "c a", "c b", "a d"), mean, { minKeys: 3 });
    // Powers of two keep the arithmetic exact, so a link on a threshold stays on it.
    const scale = fc.integer({ min: -10, max: 10 }).map((power) => 2 ** power);
    fc.assert(
      fc.property(many, scale, scale, (of, byTime, byTokens) => {
        const before = links(of);
        const scaled = new Map([...before].map(([k, t]) => [k, { ...t, seconds: t.seconds * byTime, tokens: t.tokens * byTokens }]));
        const longer = new Map(
          [...before].map(([k, t]) => [k, { ...t, transfers: t.transfers * 4, seconds: t.seconds * 4, tokens: t.tokens * 4 }]),
        );
        expect(verdictsOf(scaled)).toEqual(verdictsOf(before));
        expect(verdictsOf(longer)).toEqual(verdictsOf(before));
      }),
    );
  });

  test("are fewer than half: the median cannot be slower than itself", () => {
    const mean = fc.double({ min: 1e-3, max: 1, noNaN: true });
    const many = fc.dictionary(fc.constantFrom("a b", "a c", "b a", "b c", "c a", "c b", "a d"), mean, { minKeys: 3 });
    fc.assert(
      fc.property(many, (of) => {
        const verdicts = Object.values(verdictsOf(links(of)));
        expect(verdicts.filter((verdict) => verdict === "bad").length).toBeLessThanOrEqual(verdicts.length / 2);
      }),
    );
  });

  test("are told after half a minute and let go after a minute; a link long silent is forgotten", () => {
    const slow = links({ ...HEALTHY, "a d": 0.07 });
    const at = (standings: LinkStandings, all: LinkTallies, from: number, times: number): LinkStandings => {
      let next = standings;
      for (let i = 0; i < times; i++) next = standLinks(next, judgeLinks(all), from + 10 * i);
      return next;
    };
    expect(at(new Map(), slow, 0, 3).get("a d")?.state).toBe("unknown");
    const raised = at(new Map(), slow, 0, 4);
    expect(raised.get("a d")).toMatchObject({ state: "raised", since: 30 });
    expect(raised.get("a b")?.state).toBe("clear");
    const better = links({ ...HEALTHY, "a d": 0.02 });
    expect(at(raised, better, 40, 6).get("a d")?.state).toBe("raised");
    expect(at(raised, better, 40, 7).get("a d")?.state).toBe("clear");
    expect([...standLinks(raised, new Map(), 2000).keys()]).toEqual([]);
  });
});
