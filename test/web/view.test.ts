import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columns, view } from "../../web/columns.ts";
import { backoff } from "../../web/feed.ts";
import { ageOf, frameInterval, isStale } from "../../web/freshness.ts";
import { SCRIPT_SECONDS, pageScript } from "../support/page-feed.ts";
import type { PageFrame } from "../../wire/page.ts";

const frame = (at: number, bytesPerSecond: number | null = null): PageFrame => ({
  at,
  policy: "a",
  ttft: null,
  itl: null,
  pools: [],
  transfer: bytesPerSecond === null ? null : { bytesPerSecond, failures: 0 },
  predicted: { ttft: null, itl: null },
});
const transfer = (f: PageFrame): number | null => f.transfer?.bytesPerSecond ?? null;

describe("columns", () => {
  it("keep an absent value as a gap and a zero as a zero", () => {
    expect(columns(view([frame(1, 5), frame(2), frame(3, 0)], 60, 3), [transfer])).toEqual([
      [1, 2, 3],
      [5, null, 0],
    ]);
  });

  it("break the line over a silence", () => {
    expect(columns(view([frame(1, 5), frame(2, 6), frame(9, 7)], 60, 3), [transfer])).toEqual([
      [1, 2, 5.5, 9],
      [5, 6, null, 7],
    ]);
  });

  it("turn a number that is none into a gap", () => {
    expect(columns(view([frame(1, Number.NaN)], 60, 3), [transfer])).toEqual([[1], [null]]);
  });

  it("have rising times and lines of one length, whatever the silences", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 1000 })), fc.integer({ min: 1, max: 50 }), (ats, gapAfter) => {
        const frames = ats.sort((a, b) => a - b).map((at) => frame(at, at));
        const [times, line] = columns(view(frames, 3600, gapAfter), [transfer]);
        expect(line).toHaveLength(times.length);
        expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
        expect(line?.filter((v) => v !== null)).toEqual(frames.map((f) => f.at));
      }),
    );
  });
});

describe("the view", () => {
  it("ends at the newest frame and holds the window", () => {
    const frames = Array.from({ length: 1000 }, (_, i) => frame(i));
    const shown = view(frames, 300, 3);
    expect([shown.from, shown.to, shown.frames.length]).toEqual([699, 999, 301]);
  });

  it("of a young history fills the width", () => {
    expect(view([frame(1000), frame(1100)], 900, 3)).toMatchObject({ from: 1000, to: 1100 });
    expect(view([frame(1000), frame(1010)], 900, 3)).toMatchObject({ from: 950, to: 1010 });
    expect(view([], 900, 3).frames).toEqual([]);
  });
});

describe("freshness", () => {
  it("takes the usual gap as the interval, not the longest", () => {
    expect(frameInterval([0, 5, 10, 15, 75, 80].map((at) => frame(at)))).toBe(5);
    expect(frameInterval([])).toBe(5);
  });

  it("is stale after three intervals, by the scaler's clock and ours", () => {
    const arrival = { age: 2, received: 100 };
    expect(isStale(ageOf(arrival, 101), 1)).toBe(false);
    expect(isStale(ageOf(arrival, 101.5), 1)).toBe(true);
    expect(ageOf({ age: -50, received: 100 }, 100)).toBe(0);
  });
});

describe("back-off", () => {
  it("grows to ten seconds, with at most half taken off", () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const wait = backoff(attempt, random);
        expect(wait).toBeGreaterThanOrEqual(0.25);
        expect(wait).toBeLessThanOrEqual(10);
        expect(backoff(attempt + 1, random)).toBeGreaterThanOrEqual(wait);
      }),
    );
    expect([0, 1, 2, 9].map((n) => backoff(n, 1))).toEqual([0.5, 1, 2, 10]);
  });
});

describe("the scripted stream", () => {
  it("holds what the page must be able to show", () => {
    const script = pageScript(1_000);
    const has = (test: (f: PageFrame) => boolean): boolean => script.frames.some(test);
    expect(script.frames.at(-1)?.at).toBe(1_000 + SCRIPT_SECONDS);
    expect(has((f) => f.transfer === null) && has((f) => f.pools[0]?.gpu.sm === null) && has((f) => f.pools[1]?.velocity === null)).toBe(
      true,
    );
    const silences = script.frames.filter((f, i) => f.at - (script.frames[i - 1]?.at ?? f.at) > 3);
    expect(silences.length).toBeGreaterThan(0);
    expect(new Set(script.decisions.map((d) => d.outcome))).toEqual(new Set(["applied", "unchanged", "held", "failed"]));
    expect(script.decisions.every((d) => d.decision.reasons.length > 0)).toBe(true);
  });
});
