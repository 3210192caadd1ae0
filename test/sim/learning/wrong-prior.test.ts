import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import type { Prior } from "../../../scaler/decide/controller.types.ts";
import { forecast } from "../../../scaler/decide/demand.ts";
import { prefillVelocity } from "../../../scaler/decide/predict.ts";
import { decodeVelocity, situate } from "../../../scaler/decide/situation.ts";
import type { FulcrumState } from "../../../scaler/decide/state.ts";
import { models } from "../../../scaler/learn/learn.ts";
import { runBacktestOnce } from "../../../sim/backtest/run.ts";
import { warmStart } from "../../../sim/backtest/setup.ts";
import { defaultProfile } from "../../../sim/profiles/load.ts";
import { toPrior } from "../../../scaler/policy/profile.ts";
import { generateTrace } from "../../../sim/traces/generate.ts";
import { policy } from "../backtest/setup.ts";

const MINUTES = 10;
const TARGETS = { ttft: { quantile: 0.99, target: "800ms" }, itl: { quantile: 0.99, target: "15ms" } };
const truth = toPrior(defaultProfile);
const rules = policy({
  objectives: TARGETS,
  budget: { gpus: 16 },
  behavior: { interval: "5s", scaleDown: { stabilization: "120s", cooldown: "30s" } },
});

/** Multiplies what is believed of fixed costs and of slopes (per token, per sequence, per token of context). */
function believed(fixed: number, slope: number): Prior {
  const { prefill: p, decode: d } = truth;
  return {
    ...truth,
    prefill: { floor: p.floor * fixed, c0: p.c0 * fixed, c1: p.c1 * slope, c2: p.c2 * slope },
    decode: { d0: d.d0 * fixed, d1: d.d1 * slope, d2: d.d2 * slope },
  };
}

/** Ten minutes of steady Poisson traffic on the true plant; the state and observation at the end. */
function serve(prior: Prior): { state: FulcrumState; o: Observation } {
  const phase = { seconds: MINUTES * 60, rate: 30, ramp: 0, prompt: { median: 1400, sigma: 0.6 }, answer: { median: 400, sigma: 0.6 } };
  const trace = generateTrace({ name: "steady", start: phase, phases: [phase] }, 1);
  const setup = { policy: rules, prior: truth, believed: prior, trace, seed: 1, faults: [] };
  let last: { state: FulcrumState; o: Observation } | undefined;
  runBacktestOnce(setup, warmStart(setup), "fulcrum", {
    ...fulcrum,
    tick(state: FulcrumState, o: Observation, p) {
      const result = fulcrum.tick(state, o, p);
      if (o.at <= MINUTES * 60) last = { state: result.state, o };
      return result;
    },
  });
  if (last === undefined) throw new Error("the run had ticks");
  return last;
}

/** Learned ÷ true velocity of each pool at the workload it serves. */
function velocities({ state, o }: { state: FulcrumState; o: Observation }): { prefill: number; decode: number } {
  const seen = forecast(state.learned.workload, state.forecasts, o.at, 30, { prefill: 0, decode: 0 });
  if (seen === undefined) throw new Error("traffic was seen");
  const learned = situate(state, state.learned, seen.demand, o, rules.spec);
  const real = { ...learned, models: { ...learned.models, prefill: truth.prefill, decode: truth.decode } };
  const itl = rules.spec.objectives.itl?.target ?? 0;
  return { prefill: prefillVelocity(learned) / prefillVelocity(real), decode: decodeVelocity(learned, itl) / decodeVelocity(real, itl) };
}

describe("wrong prior: velocities within 10 % of truth after ten minutes of traffic", () => {
  it.each([
    ["three times too slow", 3, 3],
    ["three times too fast", 1 / 3, 1 / 3],
    ["fixed cost right, slopes a third", 1, 1 / 3],
    ["fixed cost right, slopes threefold", 1, 3],
    ["slopes right, fixed cost threefold", 3, 1],
    ["slopes right, fixed cost a third", 1 / 3, 1],
  ])("%s", (_name, fixed, slope) => {
    const { prefill, decode } = velocities(serve(believed(fixed, slope)));
    expect(Math.abs(prefill - 1)).toBeLessThan(0.1);
    expect(Math.abs(decode - 1)).toBeLessThan(0.1);
  });

  it("leaves a right prior alone: every coefficient that matters stays within 5 %", () => {
    const { state } = serve(truth);
    const m = models(state.learned, truth);
    for (const [learned, real] of [
      [m.prefill.c1, truth.prefill.c1],
      [m.decode.d0, truth.decode.d0],
      [m.decode.d1, truth.decode.d1],
      [m.decode.d2, truth.decode.d2],
    ] as const)
      expect(Math.abs(learned / real - 1)).toBeLessThan(0.05);
  });

  it("learns the link too: the predicted transfer is that of the prompts it carries", () => {
    const slow = { ...truth, transfer: { latency: truth.transfer.latency, bytesPerSecond: truth.transfer.bytesPerSecond } };
    const wrong: Prior = { ...slow, transfer: toPrior({ ...defaultProfile, transfer: { latency: 0.02, bytesPerSecond: 4e9 } }).transfer };
    const { state } = serve(wrong);
    const predicted = models(state.learned, wrong).transfer;
    const prompt = state.learned.transferBytes.sum / state.learned.transferBytes.weight;
    expect(predicted / (truth.transfer.latency + prompt / truth.transfer.bytesPerSecond)).toBeCloseTo(1, 1);
  });
});
