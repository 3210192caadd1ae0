import { describe, expect, test } from "vitest";
import { createHistory, MAX_DECISIONS } from "../../../scaler/state/history.ts";
import type { PageDecision, PageFrame } from "../../../wire/page.ts";

const frame = (at: number, policy = "a"): PageFrame => ({
  at,
  policy,
  ttft: null,
  itl: null,
  pools: [],
  transfer: null,
  predicted: { ttft: null, itl: null },
});
const decision = (at: number, policy = "a"): PageDecision => ({
  policy,
  outcome: "held",
  decision: {
    type: "decision",
    at,
    pools: { prefill: { replicas: 1 }, decode: { replicas: 1 } },
    moves: [],
    predicted: {},
    reasons: [],
    hold: true,
  },
});

describe("history", () => {
  test("keeps as many seconds as it is told, of every policy", () => {
    const history = createHistory(10);
    for (let at = 0; at <= 30; at++) for (const policy of ["a", "b"]) history.addFrame(frame(at, policy));
    expect(history.frames(100, "a").map((f) => f.at)).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    expect(history.frames(100)).toHaveLength(22);
    expect(history.frames(3).map((f) => [f.at, f.policy])).toEqual([
      [29, "b"],
      [30, "a"],
      [30, "b"],
    ]);
    history.drop("a");
    expect(history.frames(100, "a")).toEqual([]);
  });

  test("is bounded whatever the interval", () => {
    const history = createHistory(1e9);
    for (let at = 0; at < 5000; at++) history.addFrame(frame(at));
    for (let at = 0; at < 1000; at++) history.addDecision(decision(at));
    expect(history.frames(1e6)).toHaveLength(3600);
    expect(history.decisions(1e6)).toHaveLength(MAX_DECISIONS);
    expect(history.decisions(2).map((d) => d.decision.at)).toEqual([999, 998]);
  });
});
