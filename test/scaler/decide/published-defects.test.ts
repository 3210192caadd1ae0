import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { predict, type Situation } from "../../../scaler/decide/predict.ts";
import { search, violation, type Bounds } from "../../../scaler/decide/search.ts";
import { tokensPerSecond } from "../../../core/units.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { h200Prior, observationOf, testPolicy, type Load } from "../../support/observations.ts";

/**
 * Defects that trackers of published planners record (reference: control notes §1.7), each as a test that Fulcrum passes.
 */

type Given = Omit<Load, "at" | "prefill" | "decode"> & { readonly change?: (o: Observation) => Observation };

/** Ticks every 5 s; the driver follows each decision at once. */
function follow(policy: Policy, given: readonly Given[], start: { prefill: number; decode: number }): Decision[] {
  let state = fulcrum.start(policy, h200Prior, 0);
  let { prefill, decode } = start;
  return given.map(({ change = (o) => o, ...load }, i) => {
    const { state: next, decision } = fulcrum.tick(state, change(observationOf({ ...load, at: (i + 1) * 5, prefill, decode })), policy);
    state = next;
    prefill = decision.pools.prefill.replicas;
    decode = decision.pools.decode.replicas;
    return decision;
  });
}

const times = (n: number, given: Given): Given[] => Array.from({ length: n }, () => given);
const codes = (d: Decision | undefined): string[] => d?.reasons.map((r) => r.code) ?? [];

const situation = (prefillTokens: number, isl = 1000): Situation => ({
  demand: {
    arrivals: prefillTokens / isl,
    prefillTokens: tokensPerSecond(prefillTokens),
    prefillTokensNow: tokensPerSecond(prefillTokens),
    decodeTokens: tokensPerSecond((prefillTokens / isl) * 200),
    lengths: { isl, uncached: isl, uncachedP95: isl * 2, spread: 1.5, osl: 200, context: isl + 100, cacheShare: 0 },
    burstiness: 1,
  },
  models: { prefill: h200Prior.prefill, decode: h200Prior.decode, transfer: 0.005, kvCapacity: 890_000 },
  trim: { prefill: 1, decode: 1 },
  quantile: { ttft: 0.95, itl: 0.95 },
  backlog: { tokens: 0, decodeTokens: 0, within: 15 },
  limits: { maxBatchedTokens: 8192, maxNumSeqs: 256 },
  headroom: 0,
});

describe("published planner defects", () => {
  it("demand measured at completion hides back-pressure: offered work counts, though little of it completes", () => {
    // Decode is starved: a tenth of what arrives finishes, the rest waits for a slot.
    const starved = (o: Observation): Observation => {
      const { decode } = o.pools;
      if (decode?.interval === undefined) throw new Error("observed");
      const interval = { ...decode.interval, finished: 20, outputTokens: 6000 };
      return { ...o, pools: { ...o.pools, decode: { ...decode, queue: { requests: 500 }, interval } } };
    };
    const last = follow(testPolicy(), times(12, { rate: 80, isl: 500, osl: 300, change: starved }), { prefill: 2, decode: 1 }).at(-1);
    expect(last?.pools.decode.replicas).toBeGreaterThanOrEqual(3);
  });

  it("queue wait missing near saturation: at ρ 0.99 a predicted TTFT is many times the service time", () => {
    const capacity = 1 / (h200Prior.prefill.c1 + h200Prior.prefill.c2 * 1500 + h200Prior.prefill.c0 / 8192);
    const busy = predict({ prefill: 2, decode: 4 }, situation(2 * capacity * 0.99));
    const calm = predict({ prefill: 2, decode: 4 }, situation(2 * capacity * 0.3));
    expect(busy.rho.prefill).toBeGreaterThan(0.97);
    expect(busy.ttft).toBeGreaterThan(5 * calm.ttft);
  });

  it("2↔1 oscillation from a flat scale-down threshold: what one replica cannot carry is not given to one", () => {
    const policy = testPolicy({ behavior: { scaleDown: { stabilization: "20s", cooldown: "5s" } } });
    // About 0.6 of two replicas: a flat threshold of 0.8 would shrink, and one replica would be at 1.2.
    const decisions = follow(policy, times(200, { rate: 42, isl: 1000, osl: 50 }), { prefill: 2, decode: 2 });
    expect(new Set(decisions.slice(10).map((d) => d.pools.prefill.replicas)).size).toBe(1);
    expect(decisions.at(-1)?.pools.prefill.replicas).toBeGreaterThanOrEqual(2);
  });

  it("cold-start samples poison the fit: a few slow intervals of a warming replica do not multiply the pool", () => {
    const warming = (o: Observation): Observation => {
      const { decode } = o.pools;
      const steps = decode?.interval?.steps;
      if (decode?.interval === undefined || steps === undefined) throw new Error("observed");
      return {
        ...o,
        pools: { ...o.pools, decode: { ...decode, interval: { ...decode.interval, steps: { ...steps, seconds: steps.seconds * 4 } } } },
      };
    };
    const load = { rate: 40, isl: 500, osl: 300 };
    const given = [...times(40, load), ...times(2, { ...load, change: warming }), ...times(20, load)];
    const decisions = follow(testPolicy(), given, { prefill: 2, decode: 2 });
    const before = decisions[39]?.pools.decode.replicas ?? 0;
    expect(Math.max(...decisions.slice(40).map((d) => d.pools.decode.replicas))).toBeLessThanOrEqual(before + 1);
  });

  it("stuck when pods cannot be scheduled: plans within what runs, says so, and grows once there is room", () => {
    const policy = testPolicy();
    let state = fulcrum.start(policy, h200Prior, 0);
    const tick = (at: number, replicas: number, unschedulable: number): Decision => {
      const o = observationOf({ at, rate: 30, isl: 6000, osl: 50, prefill: replicas, decode: 2 });
      const r = fulcrum.tick(state, unschedulable > 0 ? { ...o, unschedulable } : o, policy);
      state = r.state;
      return r.decision;
    };
    for (let at = 5; at <= 30; at += 5) tick(at, 2, 0);
    const refused = tick(35, 2, 2);
    expect(codes(refused)).toContain("unschedulable");
    expect(refused.pools.prefill.replicas + refused.pools.decode.replicas).toBeLessThanOrEqual(4);
    for (let at = 40; at < 95; at += 5) tick(at, 2, 0);
    const later = [100, 105, 110].map((at) => tick(at, 2, 0).pools.prefill.replicas);
    expect(Math.max(...later)).toBeGreaterThan(2);
  });

  it("failed query read as zero traffic: missing figures hold, measured silence shrinks", () => {
    const policy = testPolicy();
    const load = { rate: 20, isl: 6000, osl: 50 };
    const unread = (o: Observation): Observation => {
      const { interval: _p, ...prefill } = o.pools.prefill ?? {};
      const { interval: _d, ...decode } = o.pools.decode ?? {};
      return { ...o, pools: { prefill, decode } };
    };
    const blind = follow(policy, [...times(30, load), ...times(60, { ...load, rate: 0, change: unread })], { prefill: 4, decode: 2 });
    const quiet = follow(policy, [...times(30, load), ...times(60, { ...load, rate: 0 })], { prefill: 4, decode: 2 });
    expect(blind.at(-1)?.pools.prefill.replicas).toBe(blind[29]?.pools.prefill.replicas);
    expect(codes(blind.at(-1))).toContain("insufficient-evidence");
    expect(quiet.at(-1)?.pools.prefill.replicas).toBe(1);
  });

  it("SLA-blind budget clamp: wanting about 15 + 12 with 16 GPUs, the split that misses least is taken, not a proportional cut", () => {
    const wide: Bounds = {
      prefill: { min: 1, max: 64, gpus: 1 },
      decode: { min: 1, max: 64, gpus: 1 },
      gpus: Infinity,
      ratio: { min: 0, max: Infinity },
    };
    const s = { ...situation(15 * 34_000 * 0.8, 3000), limits: { maxBatchedTokens: 8192, maxNumSeqs: 256 } };
    const heavy: Situation = { ...s, demand: { ...s.demand, decodeTokens: tokensPerSecond(12 * 8000) } };
    const targets = { ttft: 0.5, itl: 0.012 };
    const wanted = search(wide, targets, heavy);
    if (wanted === undefined) throw new Error("a plan without a budget");
    expect(wanted.plan.prefill + wanted.plan.decode).toBeGreaterThan(20);
    const found = search({ ...wide, gpus: 16 }, targets, heavy);
    if (found === undefined) throw new Error("a plan within the budget");
    expect(found.plan.prefill + found.plan.decode).toBeLessThanOrEqual(16);
    const share = 16 / (wanted.plan.prefill + wanted.plan.decode);
    const cut = { prefill: Math.floor(wanted.plan.prefill * share), decode: Math.floor(wanted.plan.decode * share) };
    expect(violation(found.prediction, targets)).toBeLessThanOrEqual(violation(predict(cut, heavy), targets));
  });
});
