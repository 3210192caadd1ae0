import { describe, expect, it } from "vitest";
import type { DecodeObservation } from "../../../core/observation.ts";
import { tokensPerSecond } from "../../../core/units.ts";
import { localCapacity } from "../../../scaler/decide/local-prefill.ts";
import { prefillVelocity, type Situation } from "../../../scaler/decide/predict.ts";
import { propose, SPARE } from "../../../scaler/decide/propose.ts";
import { localRule } from "../../../scaler/decide/situation.ts";
import { warmStart } from "../../../sim/backtest/setup.ts";
import { runBacktestOnce } from "../../../sim/backtest/run.ts";
import { h200Prior, observationOf } from "../../support/observations.ts";
import { policy, setup } from "../../sim/backtest/setup.ts";

const targets = { ttft: 0.6, itl: 0.05 };

/** Prompts for `now` prefill replicas and for 2.5 before long, and decode with room within ITL. */
function situation(local: boolean, now: number): Situation {
  const { prefill, decode, kvCapacityTokens } = h200Prior;
  const rate = 60;
  const base: Situation = {
    demand: {
      arrivals: rate,
      prefillTokens: tokensPerSecond(0),
      prefillTokensNow: tokensPerSecond(0),
      decodeTokens: tokensPerSecond(rate * 150),
      lengths: { isl: 1500, uncached: 1500, uncachedP95: 3000, spread: 1.3, osl: 150, context: 1575, cacheShare: 0 },
      burstiness: 2,
    },
    models: { prefill, decode, transfer: 0.005, kvCapacity: kvCapacityTokens },
    trim: { prefill: 1, decode: 1 },
    quantile: { ttft: 0.95, itl: 0.95 },
    backlog: { tokens: 0, decodeTokens: 0, within: 15 },
    limits: { maxBatchedTokens: 8192, maxNumSeqs: 256 },
    headroom: 0.15,
    ...(local ? { local: { chunkTokens: 256, queueTokens: 4096, ready: 4, ...targets } } : {}),
  };
  const load = (replicas: number) => tokensPerSecond(replicas * prefillVelocity(base) * 0.85);
  return { ...base, demand: { ...base.demand, prefillTokens: load(2.5), prefillTokensNow: load(now) } };
}

function proposed(local: boolean, now = 1.8) {
  const one = situation(local, now);
  const bounds = {
    prefill: { min: 1, max: 12, gpus: 1 },
    decode: { min: 4, max: 12, gpus: 1 },
    gpus: 24,
    ratio: { min: 0, max: Infinity },
  };
  const pools = { current: { prefill: 2, decode: 4 }, bounds, targets, situation: one, worst: one.demand };
  return propose({ ...pools, spare: SPARE, convert: true, transferBound: false });
}

describe("engines whose decode computes prompts that would queue", () => {
  it("need less prefill where decode has room within ITL, and the decision says so", () => {
    expect(proposed(false)?.plan).toEqual({ prefill: 3, decode: 4 });
    const beside = proposed(true);
    expect(beside?.plan).toEqual({ prefill: 2, decode: 4 });
    const reason = beside?.reasons.find(({ code }) => code === "local-prefill");
    expect(reason?.text).toMatch(
      /^decode computes what would queue for prefill, up to \d+ tokens\/s in chunks of 256, steps of [\d.]+ ms within ITL: prefill needs 2 replicas, 3 without it$/,
    );
    expect(reason?.numbers).toMatchObject({ chunkTokens: 256, withReplicas: 2, withoutReplicas: 3 });
    expect(reason?.numbers?.["stepSeconds"]).toBeLessThanOrEqual(targets.itl);
  });

  it("need as much prefill as is there to do now: decode is for what comes on top", () => {
    expect(proposed(true, 2.4)?.plan).toEqual({ prefill: 3, decode: 4 });
  });

  it("are counted as far as they are there, and within ITL only", () => {
    const { local, ...alone } = situation(true, 1.8);
    if (local === undefined) throw new Error("asked for");
    const capacity = (ready: number, chunkTokens = 256) => localCapacity(4, { ...alone, local: { ...local, ready, chunkTokens } }, 0);
    expect(capacity(2).tokens).toBeCloseTo(capacity(4).tokens / 2, 9);
    expect(capacity(9).tokens).toBe(capacity(4).tokens);
    expect(capacity(4).step).toBeLessThanOrEqual(targets.itl);
    expect(capacity(4, 1400).tokens).toBe(0);
  });

  it("are not counted on where the decode pool's figures are missing, or show no room", () => {
    const { spec } = policy({ pools: { decode: { localPrefill: {} } } });
    const o = observationOf({ at: 5, rate: 10, isl: 1500, osl: 150, prefill: 2, decode: 4 });
    const gaps = (itl: number) => ({ count: 1000, mean: itl, p50: itl, p90: itl, p95: itl, p99: itl });
    const { decode } = o.pools;
    const rule = (part: Partial<DecodeObservation>) =>
      localRule({ ...o, pools: { ...o.pools, decode: { ...decode, interval: { seconds: 5, itl: gaps(0.008) }, ...part } } }, spec).local;
    expect(rule({})).toEqual({ chunkTokens: 256, queueTokens: 8192, ready: 4, ttft: 0.5, itl: 0.03 });
    expect(rule({ running: {} })).toBeUndefined();
    expect(rule({ queue: {} })).toBeUndefined();
    expect(rule({ interval: { seconds: 5 } })).toBeUndefined();
    expect(rule({ interval: { seconds: 5, itl: gaps(0.031) } })).toBeUndefined();
    expect(rule({ replicas: { ready: 0, starting: [{ age: 1 }], draining: 0 } })).toBeUndefined();
    expect(localRule({ ...o, pools: {} }, spec)).toEqual({});
  });

  it("are what the plant has where the policy says so", () => {
    const rules = policy({ pools: { decode: { localPrefill: { chunkTokens: 128, queueTokens: 0 } } } });
    const local = (p: typeof rules): number => {
      let tokens = 0;
      const told = { ...setup(), policy: p };
      runBacktestOnce(told, warmStart(told), "still", {
        name: "still",
        start: () => null,
        tick(_state, o) {
          tokens += o.pools.decode?.interval?.promptTokens ?? 0;
          const pools = { prefill: { replicas: 1 }, decode: { replicas: 2 } };
          const reasons = [{ code: "within-range" as const, text: "still" }];
          return { state: null, decision: { type: "decision", at: o.at, pools, moves: [], predicted: {}, reasons, hold: false } };
        },
      });
      return tokens;
    };
    expect(local(policy())).toBe(0);
    expect(local(rules)).toBeGreaterThan(0);
  });
});
