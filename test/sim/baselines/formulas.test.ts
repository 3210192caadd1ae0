import { describe, expect, it } from "vitest";
import { decodeSeconds, prefillSeconds } from "../../../core/latency-model.ts";
import { clampBudget } from "../../../sim/baselines/planner-budget.ts";
import { decodeStep, easyDecodeStep, easyPrefillStep, prefillStep, type EngineLoad } from "../../../sim/baselines/planner-load.ts";
import { learnModel, newModel, prefillTime } from "../../../sim/baselines/planner-model.ts";
import { learnPoint, newPredictor, predictNext } from "../../../sim/baselines/planner-predictor.ts";
import { decodeRate, prefillRate } from "../../../sim/baselines/planner-throughput.ts";
import { desired } from "../../../sim/baselines/slo-aware.ts";
import { calibrate, threshold } from "../../../sim/baselines/token-backlog.ts";
import { decodeVelocity, peakPrefill } from "../../../sim/baselines/velocity.ts";
import { policy, setup } from "../backtest/setup.ts";

const { prior } = setup();
const model = newModel(prior);

describe("token-backlog", () => {
  it("V_P is the chunk over the idle TTFT through the P/D path, below the bare prefill rate", () => {
    const bare = 8192 / prefillSeconds(prior.prefill, 8192, 8192 ** 2);
    expect(calibrate(prior)).toBeLessThan(bare);
    expect(calibrate(prior)).toBeGreaterThan(0.8 * bare);
  });

  it("θ = 0.65 · (objective − idle floor), the shipped 1.5 s without an objective", () => {
    const { spec } = policy();
    // The guide's row: ISL 8192 at 15928 tokens/s has a floor of 0.51 s; with 8 s it leaves 7.49 s, shaved for the tail.
    const guide = { ...spec, objectives: { ...spec.objectives, ttft: { quantile: 0.95, target: 8 } } };
    expect(threshold(guide, 8192 / 15928)).toBeCloseTo(0.65 * 7.49, 2);
    expect(threshold({ ...spec, objectives: { itl: { quantile: 0.95, target: 0.03 }, headroom: 0.15 } }, 1)).toBe(1.5);
    expect(threshold(spec, 10)).toBeCloseTo(0.025, 9);
  });
});

describe("slo-aware", () => {
  it("the published law, with ready credit on the way up only", () => {
    expect(desired(4, 4, 0.5)).toBe(4);
    expect(desired(4, 4, 0.83)).toBe(7);
    expect(desired(4, 2, 1.1)).toBe(4);
    expect(desired(4, 4, 2)).toBe(15);
    expect(desired(8, 8, 0.2)).toBe(4);
    expect(desired(8, 4, 0.2)).toBe(4);
    expect(desired(1, 1, 0)).toBe(0);
  });
});

describe("velocity", () => {
  it("prefill peaks where attention starts to cost more than the weights save", () => {
    const at = (tokens: number): number => tokens / prefillSeconds(prior.prefill, tokens, tokens * tokens);
    expect(peakPrefill(prior)).toBe(Math.max(...Array.from({ length: 14 }, (_, k) => at(2 ** k))));
  });

  it("decode releases prompt and answer tokens: B·(prompt + answer) ÷ (answer·t(B))", () => {
    const { spec } = policy({ objectives: { itl: { target: "15ms" } } });
    const context = 1100;
    const batch = Math.floor((0.015 - prior.decode.d0) / (prior.decode.d1 + prior.decode.d2 * context));
    const expected = (batch * 1200) / (200 * decodeSeconds(prior.decode, batch, batch * context));
    expect(decodeVelocity(prior, 1000, 200, spec)).toBeCloseTo(expected, 6);
  });
});

describe("the planner", () => {
  const load = { prompt: 3000, answer: 300, hitRate: 0, maxBatchedTokens: 8192, maxNumSeqs: 256, kvTokens: 890_000, ttft: 0.3, itl: 0.02 };

  it("sizes for capacity without queueing: the best batch under the target", () => {
    const two = prefillTime(model, 6000, 3000, 8192);
    expect(prefillRate(model, load)).toBeCloseTo(Math.max(1 / prefillTime(model, 3000, 3000, 8192), 2 / two), 9);
    const rate = decodeRate(model, load);
    const batch = Math.floor((0.02 - prior.decode.d0) / (prior.decode.d1 + prior.decode.d2 * 3150));
    expect(rate).toBeGreaterThan((0.97 * batch) / (300 * 0.02));
    expect(rate).toBeLessThanOrEqual((1.0001 * batch) / (300 * decodeSeconds(prior.decode, batch, batch * 3150)));
  });

  it("takes the best ineligible batch when none meets the target, and cached tokens out of the prompt", () => {
    expect(prefillRate(model, { ...load, ttft: 0.001 })).toBeGreaterThan(0);
    expect(prefillRate(model, { ...load, hitRate: 0.5 })).toBeGreaterThan(1.5 * prefillRate(model, load));
  });

  it("clamps a budget proportionally: wanting 15 + 12 with 16 GPUs gives 8 + 8", () => {
    const { spec } = policy({ budget: { gpus: 16 } });
    expect(clampBudget({ prefill: 15, decode: 12 }, spec)).toEqual({ prefill: 8, decode: 8 });
    expect(clampBudget({ prefill: 3, decode: 4 }, spec)).toEqual({ prefill: 3, decode: 4 });
    expect(clampBudget({ prefill: 1, decode: 40 }, spec)).toEqual({ prefill: 1, decode: 15 });
  });

  const engine: EngineLoad = {
    replicas: 2,
    queuedTokens: 0,
    prompt: 1000,
    hitRate: 0,
    sequences: 10,
    kvTokens: 10_000,
    context: 1100,
    kvCapacity: 890_000,
    maxBatchedTokens: 8192,
  };

  it("load loop: one up over the target, one down when one fewer keeps four fifths of the slack", () => {
    expect(prefillStep(model, { ...engine, queuedTokens: 30_000 }, 0.5)).toBe(1);
    expect(prefillStep(model, { ...engine, queuedTokens: 12_000 }, 0.5)).toBe(0);
    expect(prefillStep(model, engine, 0.5)).toBe(-1);
    expect(prefillStep(model, { ...engine, replicas: 1 }, 0.5)).toBe(0);
    expect(decodeStep(model, { ...engine, sequences: 250, kvTokens: 300_000 }, 0.015)).toBe(1);
    expect(decodeStep(model, { ...engine, sequences: 150, kvTokens: 160_000 }, 0.015)).toBe(0);
    expect(decodeStep(model, engine, 0.015)).toBe(-1);
  });

  it("default mode: a prefill engine is short only when a whole context length is queued", () => {
    expect([100_000, 131_072, 13_000, 20_000].map((queuedTokens) => easyPrefillStep({ ...engine, queuedTokens }, 131_072))).toEqual([
      0, 1, -1, 0,
    ]);
    expect([0.89, 1.01, 0.59].map((share) => easyDecodeStep({ ...engine, kvTokens: share * 890_000 }))).toEqual([0, 1, -1]);
  });

  it("predicts a trend one interval ahead from five points on, the last value before, never below zero", () => {
    const after = (values: readonly number[]): number => predictNext(values.reduce(learnPoint, newPredictor));
    expect(after([0, 0, 100, 200])).toBe(200);
    expect(after([100, 200, 300, 400, 500, 600, 700, 800])).toBeCloseTo(900, -1);
    expect(after([500, 400, 300, 200, 100, 0])).toBe(0);
  });

  it("corrects its model by the median of observed ÷ expected, within 0.5 to 2", () => {
    const passes = (seconds: number) => ({
      type: "observation" as const,
      at: 0,
      pools: { prefill: { interval: { seconds: 5, batches: { count: 10, tokens: 20_000, seconds } } } },
    });
    const expected = 10 * prefillSeconds(prior.prefill, 2000, 2000 * 1000);
    const learned = (factor: number, times: number): number => {
      let m = model;
      for (let index = 0; index < times; index += 1) m = learnModel(m, passes(expected * factor), 1000);
      return prefillTime(m, 2000, 1000, 8192) / prefillTime(model, 2000, 1000, 8192);
    };
    expect([learned(1.5, 4), learned(1.5, 5), learned(3, 5), learned(0.1, 5)].map((x) => Math.round(x * 100) / 100)).toEqual([
      1, 1.5, 2, 0.5,
    ]);
  });
});
