import { describe, expect, test } from "vitest";
import type { Decision, ReasonCode } from "../../../core/decision.ts";
import { holdReason } from "../../../scaler/serve/hold-reason.ts";

const decision = (hold: boolean, ...codes: ReasonCode[]): Decision => ({
  type: "decision",
  at: 0,
  pools: { prefill: { replicas: 1 }, decode: { replicas: 1 } },
  moves: [],
  predicted: {},
  reasons: codes.map((code) => ({ code, text: code })),
  hold,
});

describe("what held a decision", () => {
  test.each([
    ["nothing, when it was not held", decision(false, "decode-short", "step-limit"), undefined],
    ["nothing, when no change was wanted", decision(true, "within-range"), undefined],
    ["nothing, when it says no reason", decision(true), undefined],
    ["the guardrail, not the demand it answers", decision(true, "decode-spare", "stabilization", "observe"), "stabilization"],
    ["missing evidence", decision(true, "insufficient-evidence"), "insufficient-evidence"],
    ["the leading reason, when no guardrail is named", decision(true, "model-mismatch"), "model-mismatch"],
  ] as const)("is %s", (_, made, expected) => {
    expect(holdReason(made)).toBe(expected);
  });
});
