import { describe, expect, it } from "vitest";
import { decisionRows } from "../../web/changes.ts";
import type { PageDecision } from "../../wire/page.ts";

const decision = (at: number, prefill: number, decode: number, outcome: PageDecision["outcome"], policy = "a"): PageDecision => ({
  policy,
  outcome,
  decision: {
    type: "decision",
    at,
    pools: { prefill: { replicas: prefill }, decode: { replicas: decode } },
    moves: [],
    predicted: {},
    reasons: [],
    hold: outcome === "held",
  },
});
/** Oldest first in, newest first to the function, oldest first out: tests read like a history. */
const history = (...entries: PageDecision[]) => decisionRows(entries.toReversed()).toReversed();

describe("a decision's change", () => {
  it("is told against the decision before it", () => {
    const rows = history(decision(1, 3, 5, "unchanged"), decision(2, 4, 4, "applied"), decision(3, 4, 4, "unchanged"));
    expect(rows[1]).toMatchObject({ prefill: { from: 3, to: 4 }, decode: { from: 5, to: 4 }, changed: true });
    expect(rows[2]).toMatchObject({ prefill: { from: 4, to: 4 }, decode: { from: 4, to: 4 }, changed: false });
  });

  it("is unknown for the first, not from zero", () => {
    expect(history(decision(1, 3, 5, "unchanged"))[0]).toMatchObject({ prefill: { from: null, to: 3 }, changed: false });
  });

  it("that failed moved nothing: the retry starts from the older count, and both are shown", () => {
    const rows = history(decision(1, 2, 2, "unchanged"), decision(2, 3, 2, "failed"), decision(3, 3, 2, "applied"));
    expect(rows.map((r) => [r.prefill.from, r.prefill.to, r.changed])).toEqual([
      [null, 2, false],
      [2, 3, true],
      [2, 3, true],
    ]);
  });

  it("in observe mode shows once when what is wanted changes", () => {
    const rows = history(decision(1, 2, 2, "observe"), decision(2, 3, 2, "observe"), decision(3, 3, 2, "observe"));
    expect(rows.map((r) => r.changed)).toEqual([false, true, false]);
  });

  it("does not mix policies", () => {
    const rows = history(decision(1, 2, 2, "unchanged", "a"), decision(2, 9, 9, "unchanged", "b"), decision(3, 2, 2, "unchanged", "a"));
    expect(rows.map((r) => r.changed)).toEqual([false, false, false]);
    expect(new Set(rows.map((r) => r.key)).size).toBe(3);
  });
});
