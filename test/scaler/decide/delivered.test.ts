import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import type { Summary } from "../../../core/summary.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { countMisses, missing, noMisses } from "../../../scaler/decide/delivered.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { h200Prior, observationOf, testPolicy, type Load } from "../../support/observations.ts";

const targets = { ttft: 0.5, itl: 0.012 };
const { spec } = testPolicy();
const all = (value: number, count = 200): Summary => ({ count, mean: value, p50: value, p90: value, p95: value, p99: value });
const codes = (d: Decision | undefined): string[] => d?.reasons.map((r) => r.code) ?? [];

/** An interval of `load` that delivered these latencies. */
function delivered(load: Load, seen: { ttft?: Summary; itl?: Summary; prefillQueue?: number; decodeQueue?: number }): Observation {
  const o = observationOf(load);
  const { prefill, decode } = o.pools;
  if (prefill?.interval === undefined || decode?.interval === undefined) throw new Error("both pools are observed");
  return {
    ...o,
    pools: {
      prefill: {
        ...prefill,
        queue: { requests: seen.prefillQueue ?? 0 },
        interval: { ...prefill.interval, ...(seen.ttft === undefined ? {} : { ttft: seen.ttft }) },
      },
      decode: {
        ...decode,
        queue: { requests: seen.decodeQueue ?? 0 },
        interval: { ...decode.interval, ...(seen.itl === undefined ? {} : { itl: seen.itl }) },
      },
    },
  };
}

const quiet = { at: 5, rate: 2, isl: 500, osl: 50, prefill: 4, decode: 4 };

describe("intervals that missed an objective", () => {
  const late = delivered(quiet, { ttft: all(2) });
  const good = delivered(quiet, { ttft: all(0.1), itl: all(0.008) });

  it("count from the second in a row, and one that held ends them", () => {
    const once = countMisses(noMisses, late, targets, spec);
    expect(missing(once)).toEqual({ prefill: false, decode: false });
    const twice = countMisses(once, late, targets, spec);
    expect(missing(twice)).toEqual({ prefill: true, decode: false });
    expect(missing(countMisses(twice, good, targets, spec)).prefill).toBe(false);
  });

  it("are decode's too, for TTFT, while requests queue for it, and always for ITL", () => {
    const full = delivered(quiet, { ttft: all(2), decodeQueue: 40 });
    const slow = delivered(quiet, { ttft: all(0.1), itl: all(0.03) });
    const after = (o: Observation): boolean => missing(countMisses(countMisses(noMisses, o, targets, spec), o, targets, spec)).decode;
    expect([after(full), after(slow), after(late), after(good)]).toEqual([true, true, false, false]);
  });

  it("are not ended by a latency that nobody told, and end with measured silence and an empty queue", () => {
    const two = { prefill: 2, decode: 2 };
    const none = { ...quiet, rate: 0 };
    expect(countMisses(two, delivered(quiet, {}), targets, spec)).toEqual(two);
    expect(countMisses(two, delivered(none, { prefillQueue: 5, decodeQueue: 5 }), targets, spec)).toEqual(two);
    expect(countMisses(two, { ...delivered(none, {}), pools: {} }, targets, spec)).toEqual(two);
    expect(countMisses(two, delivered(none, {}), targets, spec)).toEqual({ prefill: 0, decode: 0 });
  });

  it("are judged by a target that can be met", () => {
    expect(countMisses(noMisses, late, { ttft: 2.5, itl: 0.012 }, spec).prefill).toBe(0);
  });
});

describe("the controller and what was delivered", () => {
  /** Quiet traffic on four and four for twenty minutes; gives the last decision's replicas and all codes. */
  function settle(policy: Policy, seen: Parameters<typeof delivered>[1]): { prefill: number; decode: number; codes: Set<string> } {
    let state = fulcrum.start(policy, h200Prior, 0);
    let [prefill, decode] = [4, 4];
    const told = new Set<string>();
    for (let at = 5; at <= 1200; at += 5) {
      const r = fulcrum.tick(state, delivered({ ...quiet, at, prefill, decode }, seen), policy);
      state = r.state;
      prefill = r.decision.pools.prefill.replicas;
      decode = r.decision.pools.decode.replicas;
      for (const code of codes(r.decision)) told.add(code);
    }
    return { prefill, decode, codes: told };
  }

  it("does not call a pool spare whose users wait, whatever its model says: requests may be bound to a replica that is full", () => {
    const held = settle(testPolicy(), { ttft: all(60), prefillQueue: 3 });
    expect(held.prefill).toBeGreaterThanOrEqual(4);
    expect(held.codes).toContain("objective-missed");
    const slow = settle(testPolicy(), { ttft: all(0.1), itl: all(0.03) });
    expect(slow.decode).toBeGreaterThanOrEqual(4);
    expect(slow.prefill).toBe(1);
  });

  it("gives both back when the objectives hold", () => {
    const free = settle(testPolicy(), { ttft: all(0.1), itl: all(0.008) });
    expect(free).toMatchObject({ prefill: 1, decode: 1 });
    expect(free.codes).not.toContain("objective-missed");
  });
});

describe("demand that is on its way", () => {
  it("keeps decode when a burst stands before prefill after a quiet window", () => {
    const policy = testPolicy({ behavior: { scaleDown: { stabilization: "300s" } } });
    let state = fulcrum.start(policy, h200Prior, 0);
    for (let i = 1; i <= 62; i++)
      state = fulcrum.tick(
        state,
        observationOf({ at: i * 5, rate: i < 3 ? 5 : 0, isl: 2500, osl: 60, prefill: 2, decode: 2 }),
        policy,
      ).state;
    const burst = observationOf({ at: 315, rate: 70, isl: 2500, osl: 60, prefill: 2, decode: 2, waiting: 220 });
    const decode = { ...burst.pools.decode, interval: { seconds: 5, finished: 0, outputTokens: 400 } };
    const { decision } = fulcrum.tick(state, { ...burst, pools: { ...burst.pools, decode } }, policy);
    expect(decision.pools.prefill.replicas).toBeGreaterThan(2);
    expect(decision.pools.decode.replicas).toBeGreaterThanOrEqual(2);
  });

  it("sizes decode for the queue that prefill will hand over", () => {
    const policy = testPolicy({ budget: { gpus: 16 }, objectives: { ttft: { target: "800ms" }, itl: { target: "15ms" } } });
    const decodeFor = (waiting: number): number => {
      let state = fulcrum.start(policy, h200Prior, 0);
      let last: Decision | undefined;
      for (let at = 5; at <= 60; at += 5) {
        const r = fulcrum.tick(state, observationOf({ at, rate: 60, isl: 1200, osl: 400, prefill: 2, decode: 4, waiting }), policy);
        state = r.state;
        last = r.decision;
      }
      return last?.pools.decode.replicas ?? 0;
    };
    expect(decodeFor(8000)).toBeGreaterThan(decodeFor(0));
  });

  it("may trade replicas a minute after a start when the budget is full and one pool starves", () => {
    const policy = testPolicy({ budget: { gpus: 8 }, behavior: { scaleDown: { stabilization: "300s" } } });
    let state = fulcrum.start(policy, h200Prior, 0);
    const moved: number[] = [];
    for (let at = 5; at <= 120; at += 5) {
      const r = fulcrum.tick(state, observationOf({ at, rate: 25, isl: 6000, osl: 50, prefill: 2, decode: 6, waiting: 100 }), policy);
      state = r.state;
      if (r.decision.moves.length > 0) moved.push(at);
    }
    expect(moved[0]).toBeGreaterThan(60);
    expect(moved[0]).toBeLessThan(90);
  });
});

describe("batch limits", () => {
  const changes = (limits: readonly number[]): number => limits.filter((x, i) => i > 0 && x !== limits[i - 1]).length;

  it("of prefill do not follow every long prompt", () => {
    const policy = testPolicy({ objectives: { ttft: { target: "6s" }, itl: { target: "30ms" } } });
    let state = fulcrum.start(policy, h200Prior, 0);
    let limit = 8192;
    const seen: number[] = [];
    for (let i = 0; i < 240; i++) {
      const load = { at: (i + 1) * 5, rate: 1, isl: i % 7 === 0 ? 50_000 : 9_000, osl: 100, prefill: 2, decode: 1 };
      const o = observationOf(load);
      const prefill = { ...o.pools.prefill, limits: { maxBatchedTokens: limit } };
      const r = fulcrum.tick(state, { ...o, pools: { ...o.pools, prefill } }, policy);
      state = r.state;
      limit = r.decision.pools.prefill.limits?.maxBatchedTokens ?? limit;
      seen.push(limit);
    }
    expect(changes(seen)).toBeLessThan(12);
  });

  it("of decode are not pressed small for a target that a single step misses", () => {
    const policy = testPolicy({ objectives: { ttft: { target: "800ms" }, itl: { target: "4ms" } } });
    let state = fulcrum.start(policy, h200Prior, 0);
    let last: Decision | undefined;
    for (let at = 5; at <= 300; at += 5) {
      const r = fulcrum.tick(state, observationOf({ at, rate: 15, isl: 700, osl: 200, prefill: 2, decode: 2 }), policy);
      state = r.state;
      last = r.decision;
    }
    expect(codes(last)).toContain("saturated");
    expect(last?.pools.decode.limits?.maxNumSeqs).toBeGreaterThan(32);
    expect(last?.pools.decode.replicas).toBeLessThanOrEqual(4);
  });
});

describe("one link that all senders share", () => {
  /** Three senders, one link busy all the time, 4,000 transfers waiting for a link that makes 50 a second. */
  function shared(at: number, prefill: number, decode: { kvUsage: number }): Observation {
    const o = delivered({ at, rate: 20, isl: 2000, osl: 100, prefill, decode: 2 }, { ttft: all(80, 250) });
    return {
      ...o,
      pools: { ...o.pools, decode: { ...o.pools.decode, ...decode } },
      transfer: { seconds: 5, transfers: 250, bytes: 6.5e10, busySeconds: 4.99, failures: 0, backlog: 4000 },
    };
  }

  const after = (kvUsage: number, prefill = 3): { decision: Decision; trim: number } => {
    const policy = testPolicy();
    let state = fulcrum.start(policy, h200Prior, 0);
    let decision: Decision | undefined;
    for (let at = 5; at <= 400; at += 5) {
      const r = fulcrum.tick(state, shared(at, prefill, { kvUsage }), policy);
      state = r.state;
      decision = r.decision;
      prefill = decision.pools.prefill.replicas;
    }
    if (decision === undefined) throw new Error("decided");
    return { decision, trim: state.trim.prefill.factor };
  };

  it("is named, prefill is neither grown nor blamed for it, and the wait is foretold", () => {
    const { decision, trim } = after(0.3);
    expect(codes(decision)).toContain("transfer-bound");
    expect(decision.pools.prefill.replicas).toBeLessThanOrEqual(3);
    expect(trim).toBe(1);
    expect(decision.predicted.ttft).toBeGreaterThan(80);
  });

  it("lets prefill shrink to what its own work needs", () => {
    const { decision } = after(0.3, 8);
    expect(decision.pools.prefill.replicas).toBeLessThan(8);
    expect(decision.pools.prefill.replicas).toBeGreaterThanOrEqual(2);
  });

  it("is not to blame when decode has no room for what arrives", () => {
    expect(codes(after(0.95).decision)).not.toContain("transfer-bound");
  });
});
