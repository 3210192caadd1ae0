import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundTallies, failuresAt, linkKey, type LinkTallies, mergeTallies, OTHER_LINKS } from "../../../scaler/intake/link-tally.ts";

const node = fc.constantFrom("a", "b", "c", "d");
const amount = fc.nat(1000);
// Whole seconds: sums of floating point numbers depend on their order in the last bits.
const tally = fc.record({ transfers: amount, seconds: amount, tokens: amount, failures: amount });
const tallies: fc.Arbitrary<LinkTallies> = fc
  .array(fc.tuple(node, node, tally), { maxLength: 12 })
  .map((entries) => new Map(entries.map(([source, target, each]) => [linkKey(source, target), each])));

const sum = (all: LinkTallies, field: "transfers" | "seconds" | "tokens" | "failures"): number =>
  [...all.values()].reduce((total, each) => total + each[field], 0);
const sorted = (all: LinkTallies) => [...all].toSorted(([a], [b]) => (a < b ? -1 : 1));

describe("tallies of links", () => {
  test("merge in any order and grouping, with nothing as the neutral one", () => {
    fc.assert(
      fc.property(tallies, tallies, tallies, (a, b, c) => {
        expect(sorted(mergeTallies(a, b))).toEqual(sorted(mergeTallies(b, a)));
        expect(sorted(mergeTallies(mergeTallies(a, b), c))).toEqual(sorted(mergeTallies(a, mergeTallies(b, c))));
        expect(sorted(mergeTallies(a, new Map()))).toEqual(sorted(a));
      }),
    );
  });

  test("are bounded without losing anything, and keep the busiest", () => {
    fc.assert(
      fc.property(tallies, fc.integer({ min: 1, max: 6 }), (all, limit) => {
        const bounded = boundTallies(all, limit);
        expect(bounded.size).toBeLessThanOrEqual(limit + 1);
        for (const field of ["transfers", "seconds", "tokens", "failures"] as const) expect(sum(bounded, field)).toBe(sum(all, field));
        const rest = linkKey(OTHER_LINKS, OTHER_LINKS);
        const kept = [...bounded].filter(([key]) => key !== rest).map(([, each]) => each.transfers);
        const left = [...all].filter(([key]) => !bounded.has(key)).map(([, each]) => each.transfers);
        if (kept.length > 0 && left.length > 0) expect(Math.min(...kept)).toBeGreaterThanOrEqual(Math.max(...left));
        expect(sorted(boundTallies(bounded, limit))).toEqual(sorted(bounded));
      }),
    );
  });

  test("give failures to the link when their node had one partner, else to the node's end alone", () => {
    const one = { transfers: 5, seconds: 1, tokens: 10, failures: 0 };
    const single = failuresAt(new Map([[linkKey("a", "b"), one]]), "target", "b", 3);
    expect(sorted(single)).toEqual([[linkKey("a", "b"), { ...one, failures: 3 }]]);
    const two = new Map([
      [linkKey("a", "b"), one],
      [linkKey("c", "b"), one],
    ]);
    expect(failuresAt(two, "target", "b", 3).get(linkKey("", "b"))).toEqual({ transfers: 0, seconds: 0, tokens: 0, failures: 3 });
    expect(failuresAt(two, "source", "a", 2).get(linkKey("a", "b"))).toEqual({ ...one, failures: 2 });
    expect(failuresAt(two, "source", "x", 2).get(linkKey("x", ""))?.failures).toBe(2);
    expect(failuresAt(two, "source", "x", 0)).toBe(two);
  });
});
