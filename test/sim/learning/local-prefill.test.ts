import { describe, expect, it } from "vitest";
import { decodeSeconds } from "../../../core/latency-model.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import type { FulcrumState } from "../../../scaler/decide/state.ts";
import { models } from "../../../scaler/learn/learn.ts";
import { toPrior } from "../../../scaler/policy/profile.ts";
import { runBacktestOnce } from "../../../sim/backtest/run.ts";
import { defaultProfile } from "../../../sim/profiles/load.ts";
import { generateTrace } from "../../../sim/traces/generate.ts";
import { policy } from "../backtest/setup.ts";

const truth = toPrior(defaultProfile);
const LOCAL = { chunkTokens: 128, queueTokens: 2048 };

/** Bursts that one prefill replica cannot take, ten minutes long; decode computes what would queue. The pools stay as they are. */
function serve(told: boolean): { state: FulcrumState; local: number } {
  const phase = { rate: 8, ramp: 0, prompt: { median: 1400, sigma: 0.6 }, answer: { median: 300, sigma: 0.6 } };
  const phases = Array.from({ length: 10 }, (_, i) => ({ ...phase, seconds: 60, rate: i % 2 === 0 ? 8 : 30 }));
  const trace = generateTrace({ name: "bursts", start: { ...phase, seconds: 60 }, phases }, 1);
  const rules = policy({
    objectives: { ttft: { quantile: 0.95, target: "800ms" }, itl: { quantile: 0.95, target: "30ms" } },
    pools: {
      prefill: { replicas: { min: 1, max: 1 } },
      decode: { replicas: { min: 2, max: 2 }, ...(told ? { localPrefill: LOCAL } : {}) },
    },
  });
  let state: FulcrumState | undefined;
  let local = 0;
  const setup = { policy: rules, prior: truth, trace, seed: 1, faults: [], localPrefill: LOCAL };
  runBacktestOnce(setup, { prefill: 1, decode: 2 }, "fulcrum", {
    ...fulcrum,
    tick(before: FulcrumState, o, p) {
      const result = fulcrum.tick(before, o, p);
      state = result.state;
      local += o.pools.decode?.interval?.promptTokens ?? 0;
      return result;
    },
  });
  if (state === undefined) throw new Error("the run had ticks");
  return { state, local };
}

describe("prompts computed beside decode steps", () => {
  it.each([true, false])("do not pass for slow decode, the policy saying of them: %s", (told) => {
    const { state, local } = serve(told);
    expect(local).toBeGreaterThan(100_000);
    const learned = models(state.learned, truth).decode;
    for (const batch of [5, 30, 80]) {
      const off = decodeSeconds(learned, batch, batch * 1500) / decodeSeconds(truth.decode, batch, batch * 1500);
      expect(Math.abs(Math.log(off))).toBeLessThan(told ? 0.1 : 0.2);
    }
  });
});
