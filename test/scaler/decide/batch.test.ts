import { describe, expect, it } from "vitest";
import { decodeSeconds } from "../../../core/latency-model.ts";
import { decodeBatch, prefillBudget, saturationTokens } from "../../../scaler/decide/batch.ts";
import { h200Prior } from "../../support/observations.ts";

const range = { min: 512, max: 16384 };

describe("prefill budget", () => {
  it("is the saturation point at low load: about 1.2k tokens on the measured H200", () => {
    expect(saturationTokens(h200Prior.prefill)).toBeGreaterThan(1000);
    expect(saturationTokens(h200Prior.prefill)).toBeLessThan(1500);
    expect(prefillBudget(h200Prior.prefill, 0.3, range)).toBe(prefillBudget(h200Prior.prefill, 0.6, range));
  });

  it("grows with load and stays within the policy's range", () => {
    const budgets = [0.6, 0.7, 0.8, 0.9, 1, 5].map((rho) => prefillBudget(h200Prior.prefill, rho, range));
    expect([...budgets].sort((a, b) => a - b)).toEqual(budgets);
    expect(budgets.at(-1)).toBeLessThanOrEqual(range.max);
    expect(budgets.at(-1)).toBeGreaterThan(4 * (budgets[0] ?? Infinity));
    expect(prefillBudget(h200Prior.prefill, 1, { min: 512, max: 2048 })).toBe(2048);
  });
});

describe("decode batch", () => {
  it("is the largest whose step meets the ITL target", () => {
    const b = decodeBatch(h200Prior.decode, 0.012, 1000, 890_000);
    expect(decodeSeconds(h200Prior.decode, b, b * 1000)).toBeCloseTo(0.012, 9);
  });

  it("is bounded by KV memory for long contexts, and at least one", () => {
    expect(decodeBatch(h200Prior.decode, 1, 100_000, 890_000)).toBeCloseTo(8.01, 2);
    expect(decodeBatch(h200Prior.decode, 0.001, 1000, 890_000)).toBe(1);
  });
});
