import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { runBacktestOnce } from "../../../sim/backtest/run.ts";
import { warmStart } from "../../../sim/backtest/setup.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";
import { windowTrace } from "../../../sim/traces/rate.ts";
import { assembleTrace } from "../../../sim/traces/trace.types.ts";
import { scripted } from "./scripted.ts";
import { policy, setup } from "./setup.ts";

const quiet = windowTrace(builtinTrace(1), 230, 300);

describe("back-test run", () => {
  it("without moves equals the fixed split, and pays for it from start to end", () => {
    const split = { prefill: 4, decode: 4 };
    const { controller, seen } = scripted([[0, 4, 4]]);
    const driven = runBacktestOnce(setup(), split, "x", controller);
    const fixed = runBacktestOnce(setup(), split, "x", undefined);
    expect({ ...driven, decisions: 0 }).toEqual(fixed);
    expect(driven.completed).toBe(builtinTrace(1).requests.length);
    expect(driven.timeline).toEqual([[0, 4, 4]]);
    expect(driven.gpuHours).toBeCloseTo((8 * ((seen.at(-1)?.at ?? 0) + 2)) / 3600, 9);
  });

  it("lets decode compute prompts where asked to: fixed and driven alike, and sooner first tokens when prefill is short", () => {
    const split = { prefill: 1, decode: 6 };
    const run = (overrides: Parameters<typeof setup>[0], driven: boolean) =>
      runBacktestOnce(setup(overrides), split, "x", driven ? scripted([[0, 1, 6]]).controller : undefined);
    const localPrefill = { chunkTokens: 512, queueTokens: 8000 };
    const [without, fixed, driven] = [run({}, false), run({ localPrefill }, false), run({ localPrefill }, true)];
    expect({ ...driven, decisions: 0 }).toEqual(fixed);
    expect(fixed.completed).toBe(without.completed);
    expect(fixed.attainment.ttft).toBeGreaterThan(without.attainment.ttft + 0.1);
    expect(fixed.itl?.p99).toBeGreaterThan(without.itl?.p99 ?? Infinity);
  });

  it("applies targets after the lead time, counts actions, and pays from the decision on", () => {
    const { controller, seen } = scripted([
      [0, 1, 1],
      [20, 3, 1],
      [40, 2, 2],
    ]);
    const result = runBacktestOnce(setup({ trace: quiet }), { prefill: 1, decode: 1 }, "x", controller);
    expect(result.timeline).toEqual([
      [0, 1, 1],
      [20, 3, 1],
      [40, 2, 2],
    ]);
    expect(result.actions).toEqual({ up: 2, down: 1, conversions: 1, reversals: 1 });
    const prefill = (at: number) => seen.find((observation) => observation.at === at)?.pools.prefill?.replicas;
    expect(prefill(22)).toEqual({ ready: 1, starting: [{ age: 2 }, { age: 2 }], draining: 0 });
    expect(prefill(34)?.ready).toBe(1);
    expect(prefill(36)).toEqual({ ready: 3, starting: [], draining: 0 });
  });

  it("sets batch limits live only where the policy says so", () => {
    const limits = { maxBatchedTokens: 1024, maxNumSeqs: 16 };
    const live = { batch: { apply: "live" }, leadTime: "15s" };
    for (const [spec, expected] of [
      [policy(), [8192, 256]],
      [policy({ pools: { prefill: live, decode: live } }), [1024, 16]],
    ] as const) {
      const { controller, seen } = scripted([[0, 2, 2]], limits);
      runBacktestOnce(setup({ trace: quiet, policy: spec }), { prefill: 2, decode: 2 }, "x", controller);
      const last = seen.at(-1)?.pools;
      expect([last?.prefill?.limits?.maxBatchedTokens, last?.decode?.limits?.maxNumSeqs]).toEqual(expected);
    }
  });

  it("observes exactly what happened", () => {
    const { controller, seen } = scripted([[0, 6, 2]]);
    const trace = builtinTrace(1);
    runBacktestOnce(setup({ trace, reportDelay: 0 }), { prefill: 6, decode: 2 }, "x", controller);
    const sum = (of: (observation: Observation) => number | undefined): number => seen.reduce((total, item) => total + (of(item) ?? 0), 0);
    // The last tick ends the run before it is observed: at most its own interval is missing.
    expect(sum((o) => o.pools.prefill?.interval?.arrivals)).toBe(trace.requests.length);
    expect(sum((o) => o.pools.prefill?.interval?.inputTokens)).toBe(trace.inputTokens);
    expect(sum((o) => o.pools.prefill?.interval?.batches?.tokens)).toBe(trace.inputTokens);
    expect(sum((o) => o.transfer?.transfers)).toBe(trace.requests.length);
    expect(sum((o) => o.pools.prefill?.interval?.ttft?.count)).toBe(trace.requests.length);
    const finished = sum((o) => o.pools.decode?.interval?.finished);
    expect(trace.requests.length - finished).toBeLessThan(10);
    const busy = sum((o) => o.pools.decode?.interval?.steps?.seconds);
    expect(busy).toBeLessThan(2 * (seen.at(-1)?.at ?? 0));
    for (const { pools } of seen) {
      const ttft = pools.prefill?.interval?.ttft;
      if (ttft === undefined) continue;
      expect([ttft.p50, ttft.p90, ttft.p95, ttft.p99]).toEqual([ttft.p50, ttft.p90, ttft.p95, ttft.p99].toSorted((a, b) => a - b));
      expect(ttft.within).toBeLessThanOrEqual(ttft.count);
    }
  });

  it("knows nothing of the future: another ending changes no earlier observation", () => {
    const whole = builtinTrace(1);
    const other = assembleTrace(
      "other ending",
      whole.requests.map((item) => (item.arrival < 120 ? item : { ...item, inputTokens: 17, outputTokens: 3 })),
      { seconds: whole.seconds },
    );
    const observe = (trace: typeof whole): Observation[] => {
      const { controller, seen } = scripted([[0, 5, 3]]);
      runBacktestOnce(setup({ trace }), { prefill: 5, decode: 3 }, "x", controller);
      return seen.filter(({ at }) => at <= 120);
    };
    expect(observe(other)).toEqual(observe(whole));
    expect(observe(whole)).toHaveLength(60);
  });

  it("counts what never finished as missed", () => {
    const endless = assembleTrace(
      "endless",
      [0, 1, 2, 3].map((id) => ({ id, arrival: id, inputTokens: 900_000, outputTokens: 10 })),
    );
    const result = runBacktestOnce(setup({ trace: endless }), { prefill: 1, decode: 1 }, "x", undefined);
    expect(result).toMatchObject({
      completed: 0,
      unfinished: 4,
      attainment: { ttft: 0, itl: 0, both: 0 },
      ttft: undefined,
      itl: undefined,
    });
  });
});

describe("fulcrum in the back-test", () => {
  it("is reproducible, and moves both pools on the built-in workload", () => {
    const run = () => runBacktestOnce(setup(), warmStart(setup()), "fulcrum", fulcrum);
    const result = run();
    expect(JSON.stringify(run())).toBe(JSON.stringify(result));
    expect(result.unfinished).toBe(0);
    for (const column of [1, 2] as const) expect(new Set(result.timeline.map((row) => row[column])).size).toBeGreaterThan(1);
  });
});
