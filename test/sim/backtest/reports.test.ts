import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { runBacktestOnce } from "../../../sim/backtest/run.ts";
import { warmStart } from "../../../sim/backtest/setup.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";
import { windowTrace } from "../../../sim/traces/rate.ts";
import { scripted } from "./scripted.ts";
import { policy, setup } from "./setup.ts";

const trace = windowTrace(builtinTrace(1), 0, 100);

function observe(changes: Parameters<typeof setup>[0]): readonly Observation[] {
  const { controller, seen } = scripted([[0, 5, 3]]);
  runBacktestOnce(setup({ trace, ...changes }), { prefill: 5, decode: 3 }, "x", controller);
  return seen;
}
const arrivals = (seen: readonly Observation[]): number[] => seen.map((o) => o.pools.prefill?.interval?.arrivals ?? 0);
const total = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

describe("the way of a report from the plant to the controller", () => {
  it("by default takes 1.5 s: a tick sees what happened until the last whole second before that", () => {
    const [late, prompt] = [observe({}), observe({ reportDelay: 0 })];
    // Ticks are two seconds apart, and so is the newest report that has come: the same figures, one tick later.
    expect(arrivals(late).slice(1)).toEqual(arrivals(prompt).slice(0, -1));
    expect(late[0]?.pools.prefill).not.toHaveProperty("interval");
    expect(late[5]?.pools.prefill?.evidence).toEqual({ age: 0.5, coverage: 1 });
    expect(prompt[5]?.pools.prefill?.evidence).toEqual({ age: 0, coverage: 1 });
  });

  it("counts each arrival exactly once, whatever the delay and the tick", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6000 }), fc.integer({ min: 1, max: 7 }), (milliseconds, interval) => {
        const reportDelay = milliseconds / 1000;
        const seen = observe({ reportDelay, policy: policy({ behavior: { interval: `${interval}s` } }) });
        const last = seen.at(-1)?.at ?? 0;
        const newest = Array.from({ length: last }, (_, index) => index + 1).findLast((second) => second + reportDelay <= last) ?? 0;
        expect(total(arrivals(seen))).toBe(trace.requests.filter(({ arrival }) => arrival <= newest).length);
        const seconds = total(seen.map((o) => o.pools.prefill?.interval?.seconds ?? 0));
        expect(seconds).toBe(newest);
      }),
      { numRuns: 12 },
    );
  });

  it("loses about the share that is lost, shortens the interval with it, and says how much of the pool speaks", () => {
    const policy16 = policy({ budget: { gpus: 16 } });
    const whole = observe({ policy: policy16 });
    const lossy = observe({ policy: policy16, reportLoss: 0.3 });
    const share = total(arrivals(lossy)) / total(arrivals(whole));
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.9);
    const rate = (seen: readonly Observation[]): number =>
      total(arrivals(seen)) / total(seen.map((o) => o.pools.prefill?.interval?.seconds ?? 0));
    expect(Math.abs(rate(lossy) / rate(whole) - 1)).toBeLessThan(0.1);
    expect(lossy.some((o) => (o.pools.decode?.evidence?.age ?? 0) > 1)).toBe(true);
  });

  it("is seeded: the same losses for the same seed, others for another, and never another routing", () => {
    const run = (seed: number) => JSON.stringify(observe({ seed, reportLoss: 0.3 }));
    expect(run(3)).toBe(run(3));
    expect(run(3)).not.toBe(run(4));
    const users = (reportLoss: number) => {
      const { controller } = scripted([[0, 5, 3]]);
      return runBacktestOnce(setup({ trace, reportLoss }), { prefill: 5, decode: 3 }, "x", controller);
    };
    expect(users(0.5)).toEqual(users(0));
  });

  it("with every report lost the controller holds what it has", () => {
    const start = { prefill: 3, decode: 3 };
    const blind = runBacktestOnce(setup({ reportLoss: 1 }), start, "fulcrum", fulcrum);
    expect(blind.timeline).toEqual([[0, 3, 3]]);
    expect(blind.holds).toBe(blind.decisions);
  });

  it("a replica that became ready counts as unseen until its first report as ready has come", () => {
    const { controller, seen } = scripted([
      [0, 1, 1],
      [10, 1, 2],
    ]);
    runBacktestOnce(setup({ trace }), { prefill: 1, decode: 1 }, "x", controller);
    // Ordered at 10 s, ready at 25 s; the report of second 25 arrives at 26.5 s.
    const decode = (second: number) => seen.find(({ at }) => at === second)?.pools.decode;
    expect(decode(26)).toMatchObject({ replicas: { ready: 2 }, evidence: { coverage: 0.5 } });
    expect(decode(28)).toMatchObject({ replicas: { ready: 2 }, evidence: { coverage: 1 } });
  });
});

describe("live role switches in the back-test", () => {
  it("where the policy allows them, a conversion takes no lead time and no GPU", () => {
    const script = [
      [0, 4, 4],
      [40, 3, 5],
    ] as const;
    const run = (roleSwitch: boolean) => {
      const { controller, seen } = scripted(script);
      const spec = policy({ rebalance: { roleSwitch } });
      const result = runBacktestOnce(setup({ trace, policy: spec, reportDelay: 0 }), { prefill: 4, decode: 4 }, "x", controller);
      const ready = seen.find(({ pools }) => pools.decode?.replicas?.ready === 5)?.at ?? Infinity;
      return { result, ready };
    };
    const [live, restarted] = [run(true), run(false)];
    expect(live.ready).toBeLessThan(44);
    expect(restarted.ready).toBeGreaterThanOrEqual(55);
    expect(live.result.timeline).toEqual([
      [0, 4, 4],
      [40, 3, 5],
    ]);
    expect(live.result.actions.conversions).toBe(1);
    expect(live.result.unfinished).toBe(0);
  });

  it("leaves the default as it was", () => {
    const result = runBacktestOnce(setup(), warmStart(setup()), "fulcrum", fulcrum);
    expect(result.unfinished).toBe(0);
    expect(result.decisions - result.holds).toBeGreaterThan(100);
  });
});
