import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum, resume } from "../../../scaler/decide/controller.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { h200Prior, observationOf, testPolicy, type Load } from "../../support/observations.ts";

/** Runs a load through the controller; the driver follows each decision at once. */
function follow(policy: Policy, loads: readonly Omit<Load, "at" | "prefill" | "decode">[], start = { prefill: 2, decode: 2 }): Decision[] {
  let state = fulcrum.start(policy, h200Prior, 0);
  let { prefill, decode } = start;
  return loads.map((l, i) => {
    const r = fulcrum.tick(state, observationOf({ ...l, at: (i + 1) * 5, prefill, decode }), policy);
    state = r.state;
    prefill = r.decision.pools.prefill.replicas;
    decode = r.decision.pools.decode.replicas;
    return r.decision;
  });
}

const steady = (n: number, rate: number, isl: number, osl: number) => Array.from({ length: n }, () => ({ rate, isl, osl }));
const codes = (d: Decision | undefined): string[] => d?.reasons.map((r) => r.code) ?? [];

describe("the controller", () => {
  it("grows prefill for long prompts and decode for long answers", () => {
    const prompts = follow(testPolicy(), steady(60, 20, 6000, 50)).at(-1);
    const answers = follow(testPolicy(), steady(60, 80, 300, 600)).at(-1);
    expect(prompts?.pools.prefill.replicas).toBeGreaterThan(3);
    expect(prompts?.pools.decode.replicas).toBeLessThanOrEqual(2);
    expect(answers?.pools.decode.replicas).toBeGreaterThan(3);
    expect(answers?.pools.prefill.replicas).toBeLessThanOrEqual(2);
  });

  it("names the short pool and carries the figures", () => {
    const first = follow(testPolicy(), steady(3, 20, 6000, 50)).find((d) => codes(d).includes("prefill-short"));
    const reason = first?.reasons.find((r) => r.code === "prefill-short");
    expect(reason?.numbers?.["wantedReplicas"]).toBeGreaterThan(2);
    expect(first?.candidates?.some((c) => c.prefill < (first.pools.prefill.replicas ?? 0) && !c.meets)).toBe(true);
  });

  it("gives back what the load no longer needs, after the window", () => {
    const decisions = follow(testPolicy(), [...steady(40, 20, 6000, 50), ...steady(60, 2, 500, 50)]);
    const peak = Math.max(...decisions.map((d) => d.pools.prefill.replicas));
    expect(peak).toBeGreaterThan(3);
    expect(decisions.at(-1)?.pools.prefill.replicas).toBe(1);
    // Within the 60 s window after the change nothing shrinks below what the window needed.
    expect(decisions.slice(41, 50).some((d) => codes(d).includes("stabilization"))).toBe(true);
  });

  it("converts decode replicas to prefill when the budget is used up", () => {
    const policy = testPolicy({ budget: { gpus: 8 } });
    const decisions = follow(policy, [...steady(30, 110, 300, 600), ...steady(30, 25, 6000, 50)], { prefill: 1, decode: 7 });
    expect(decisions[10]?.pools).toMatchObject({ prefill: { replicas: 1 }, decode: { replicas: 7 } });
    const moved = decisions.find((d) => d.moves.length > 0);
    expect(moved?.moves[0]).toMatchObject({ from: "decode", to: "prefill" });
    for (const d of decisions) expect(d.pools.prefill.replicas + d.pools.decode.replicas).toBeLessThanOrEqual(8);
    expect(decisions.at(-1)?.pools.prefill.replicas).toBeGreaterThanOrEqual(5);
  });

  it("gives back more where hardly a request missed than where the error budget is spent, and keeps what missing data cannot judge", () => {
    const policy = testPolicy();
    const bursty = (i: number): number => (i % 28 < 4 ? 80 : 30);
    const meanPrefill = (attained: number | undefined): number => {
      let state = fulcrum.start(policy, h200Prior, 0);
      let [prefill, decode, sum] = [2, 2, 0];
      for (let i = 0; i < 1600; i++) {
        const o = observationOf({ at: (i + 1) * 5, rate: bursty(i), isl: 2000, osl: 60, prefill, decode });
        const count = bursty(i) * 5;
        const ttft =
          attained === undefined ? {} : { ttft: { count, mean: 0.1, p50: 0.1, p90: 0.2, p95: 0.3, p99: 0.4, within: count * attained } };
        const interval = { ...o.pools.prefill?.interval, seconds: 5, ...ttft };
        const seen: Observation = { ...o, pools: { ...o.pools, prefill: { ...o.pools.prefill, interval } } };
        const r = fulcrum.tick(state, seen, policy);
        state = r.state;
        prefill = r.decision.pools.prefill.replicas;
        decode = r.decision.pools.decode.replicas;
        if (i >= 1300) sum += prefill / 300;
      }
      return sum;
    };
    const [never, spent, unknown] = [meanPrefill(1), meanPrefill(0.9501), meanPrefill(undefined)];
    expect(never).toBeLessThan(0.95 * spent);
    expect(unknown).toBeGreaterThan(0.97 * spent);
  });

  it("counts a shrink that was taken back within the window, by whomever, as a regret", () => {
    const policy = testPolicy({ behavior: { scaleDown: { stabilization: "60s" } } });
    let state = fulcrum.start(policy, h200Prior, 0);
    const see = (at: number, prefill: number): number => {
      state = fulcrum.tick(state, observationOf({ at, rate: 10, isl: 500, osl: 50, prefill, decode: 2 }), policy).state;
      return state.changes.regrets.prefill.count;
    };
    expect([see(5, 3), see(10, 2), see(40, 3), see(45, 4)]).toEqual([0, 0, 1, 1]);
    // Growth long after a shrink answers new demand.
    expect([see(50, 2), see(115, 3)]).toEqual([1, 1]);
    expect(state.changes.regrets.decode.count).toBe(0);
  });

  it("does not buy replicas against a prompt that alone exceeds the target", () => {
    const policy = testPolicy({ objectives: { ttft: { target: "200ms" } } });
    const last = follow(policy, steady(40, 0.2, 14_000, 50)).at(-1);
    expect(codes(last)).toContain("saturated");
    expect(last?.pools.prefill.replicas).toBeLessThanOrEqual(2);
  });

  it("does not add prefill against a full and slow KV path, and says so", () => {
    const stuck = (at: number): Observation => {
      const o = observationOf({ at, rate: 40, isl: 2000, osl: 100, prefill: 2, decode: 2, waiting: 300 });
      const decode = { ...o.pools.decode, queue: { requests: 400 } };
      const prefill = o.pools.prefill?.interval;
      if (prefill === undefined) throw new Error("observed");
      const late = { count: 100, mean: 30, p50: 30, p90: 40, p95: 45, p99: 50, within: 0 };
      const pools = { prefill: { ...o.pools.prefill, interval: { ...prefill, ttft: late } }, decode };
      // Two links busy all the time, each transfer taking 0.1 s instead of about 8 ms.
      return { ...o, pools, transfer: { seconds: 5, transfers: 100, bytes: 2.6e10, busySeconds: 10, failures: 0, backlog: 400 } };
    };
    const policy = testPolicy();
    let state = fulcrum.start(policy, h200Prior, 0);
    for (let at = 5; at <= 300; at += 5) {
      const { state: next, decision } = fulcrum.tick(state, stuck(at), policy);
      state = next;
      expect(decision.pools.prefill.replicas).toBeLessThanOrEqual(2);
      expect(codes(decision)).toContain("transfer-bound");
    }
    // The same queue with links that are free is a shortage of prefill.
    const { transfer: _free, ...open } = stuck(305);
    expect(fulcrum.tick(state, open, policy).decision.pools.prefill.replicas).toBeGreaterThan(2);
  });

  it("never shrinks in observe-blind moments: no interval, no counts, low coverage, old reports", () => {
    const policy = testPolicy();
    const warm = fulcrum.tick(
      fulcrum.start(policy, h200Prior, 0),
      observationOf({ at: 5, rate: 5, isl: 500, osl: 100, prefill: 5, decode: 5 }),
      policy,
    ).state;
    const quiet = observationOf({ at: 500, rate: 0, isl: 500, osl: 100, prefill: 5, decode: 5 });
    const { prefill, decode } = quiet.pools;
    if (prefill === undefined || decode === undefined) throw new Error("both pools are observed");
    const { interval: _dropped, ...blind } = prefill;
    const blinds: Observation[] = [
      { ...quiet, pools: { decode } },
      { ...quiet, pools: { prefill: blind, decode } },
      { ...quiet, pools: { prefill: { ...prefill, evidence: { age: 60, coverage: 1 } }, decode } },
      { ...quiet, pools: { prefill: { ...prefill, evidence: { age: 1, coverage: 0.3 } }, decode } },
    ];
    for (const o of blinds) {
      const { decision } = fulcrum.tick(warm, o, policy);
      expect(decision.pools.prefill.replicas).toBe(5);
      expect(decision.pools.decode.replicas).toBe(5);
      expect(decision.hold).toBe(true);
      expect(codes(decision)).toContain("insufficient-evidence");
    }
  });

  it("does not shrink after a restart before a full window was seen", () => {
    const policy = testPolicy();
    let state = fulcrum.start(policy, h200Prior, 0);
    for (let i = 1; i <= 40; i++)
      state = fulcrum.tick(state, observationOf({ at: i * 5, rate: 1, isl: 300, osl: 50, prefill: 4, decode: 4 }), policy).state;
    state = resume(state, policy, 300);
    const soon = fulcrum.tick(state, observationOf({ at: 305, rate: 1, isl: 300, osl: 50, prefill: 4, decode: 4 }), policy).decision;
    expect(soon.pools.prefill.replicas).toBe(4);
    expect(codes(soon)).toContain("panic-start");
  });

  it("knows after a restart when the pools last changed: a cool-down goes on, and no clock that was ahead makes it endless", () => {
    const policy = testPolicy();
    const regrets = { prefill: { count: 2, at: 280 }, decode: { count: 0, at: null } };
    const changes = { up: { prefill: 290, decode: 9000 }, down: { prefill: null, decode: 100 }, regrets };
    const state = resume({ ...fulcrum.start(policy, h200Prior, 0), changes }, policy, 300);
    expect(state.changes).toEqual({ up: { prefill: 290, decode: 300 }, down: { prefill: null, decode: 100 }, regrets });
  });

  it("counts the window from the first evidence, not from its own start, and anew after a long blindness", () => {
    const policy = testPolicy();
    const quiet = (at: number) => observationOf({ at, rate: 1, isl: 300, osl: 50, prefill: 4, decode: 4 });
    const blind = (at: number): Observation => ({ type: "observation", at, pools: {} });
    let state = fulcrum.start(policy, h200Prior, 0);
    const see = (o: Observation): Decision => {
      const r = fulcrum.tick(state, o, policy);
      state = r.state;
      return r.decision;
    };
    // Regression: a fleet that answered 18 s after the scaler's start was cut on its first interval.
    for (let at = 5; at <= 200; at += 5) see(blind(at));
    expect(codes(see(quiet(205)))).toContain("panic-start");
    for (let at = 210; at < 262; at += 5) expect(see(quiet(at)).pools.prefill.replicas).toBe(4);
    for (let at = 265; at <= 270; at += 5) see(quiet(at));
    expect(see(quiet(275)).pools.prefill.replicas).toBeLessThan(4);
    for (let at = 280; at <= 400; at += 5) see(blind(at));
    expect(see(quiet(405)).pools.prefill.replicas).toBe(4);
  });

  it("recommends but says so in observe mode, and leaves the pools alone when paused", () => {
    const observe = follow(testPolicy({ mode: "observe" }), steady(10, 20, 6000, 50)).at(-1);
    expect(codes(observe)).toContain("observe");
    expect(observe?.pools.prefill.replicas).toBeGreaterThan(2);
    const paused = follow(testPolicy({ mode: "paused" }), steady(10, 20, 6000, 50)).at(-1);
    expect(paused?.pools).toMatchObject({ prefill: { replicas: 2 }, decode: { replicas: 2 } });
    expect(paused?.hold).toBe(true);
  });
});

const load = fc.record({
  rate: fc.double({ min: 0, max: 120, noNaN: true }),
  isl: fc.integer({ min: 1, max: 30_000 }),
  osl: fc.integer({ min: 1, max: 2000 }),
  waiting: fc.integer({ min: 0, max: 500 }),
});

describe("laws of the controller", () => {
  it("stays within minimum, maximum, budget and step at every tick of any load", () => {
    const policy = testPolicy({
      budget: { gpus: 10 },
      pools: { prefill: { replicas: { min: 1, max: 7 } }, decode: { replicas: { min: 2, max: 6 } } },
    });
    fc.assert(
      fc.property(fc.array(load, { minLength: 1, maxLength: 40 }), (loads) => {
        let before = { prefill: 2, decode: 2 };
        for (const d of follow(policy, loads)) {
          const now = { prefill: d.pools.prefill.replicas, decode: d.pools.decode.replicas };
          expect(now.prefill).toBeGreaterThanOrEqual(1);
          expect(now.prefill).toBeLessThanOrEqual(7);
          expect(now.decode).toBeGreaterThanOrEqual(2);
          expect(now.decode).toBeLessThanOrEqual(6);
          expect(now.prefill + now.decode).toBeLessThanOrEqual(10);
          for (const role of ["prefill", "decode"] as const) {
            expect(now[role]).toBeLessThanOrEqual(before[role] * 2);
            expect(now[role]).toBeGreaterThanOrEqual(before[role] - Math.max(1, Math.floor(before[role] / 4)));
          }
          before = now;
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is monotone: the same traffic at a higher rate never gets fewer GPUs", () => {
    const policy = testPolicy({ budget: { gpus: 64 }, behavior: { scaleUp: { step: 100, cooldown: "0s" } } });
    const gpus = (rate: number, isl: number, osl: number): number => {
      const last = follow(policy, steady(4, rate, isl, osl), { prefill: 1, decode: 1 }).at(-1);
      return (last?.pools.prefill.replicas ?? 0) + (last?.pools.decode.replicas ?? 0);
    };
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 60, noNaN: true }),
        fc.double({ min: 1, max: 2, noNaN: true }),
        fc.integer({ min: 50, max: 8000 }),
        fc.integer({ min: 10, max: 800 }),
        (rate, more, isl, osl) => {
          const [low, high] = [gpus(rate, isl, osl), gpus(rate * more, isl, osl)];
          expect(high).toBeGreaterThanOrEqual(Math.min(low, 64));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is a function of its arguments, and its state survives JSON", () => {
    fc.assert(
      fc.property(fc.array(load, { minLength: 1, maxLength: 20 }), (loads) => {
        const policy = testPolicy();
        let live = fulcrum.start(policy, h200Prior, 0);
        let revived = fulcrum.start(policy, h200Prior, 0);
        loads.forEach((l, i) => {
          const o = observationOf({ ...l, at: (i + 1) * 5, prefill: 3, decode: 3 });
          const a = fulcrum.tick(live, o, policy);
          const b = fulcrum.tick(JSON.parse(JSON.stringify(revived)) as typeof revived, o, policy);
          expect(JSON.stringify(b)).toBe(JSON.stringify(a));
          live = a.state;
          revived = b.state;
        });
      }),
      { numRuns: 40 },
    );
  });
});
