import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import type { Fault } from "../../../sim/backtest/faults.ts";
import { runBacktestOnce, type RunResult } from "../../../sim/backtest/run.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";
import { windowTrace } from "../../../sim/traces/rate.ts";
import { scripted } from "./scripted.ts";
import { policy, setup } from "./setup.ts";

const quiet = windowTrace(builtinTrace(1), 230, 300);
const busy = windowTrace(builtinTrace(1), 20, 80);

/** A run under faults that follows a script; what it saw and how it ended. */
function under(
  faults: readonly Fault[],
  script: readonly (readonly [number, number, number])[] = [[0, 2, 2]],
  changes: Parameters<typeof setup>[0] = {},
): { readonly seen: readonly Observation[]; readonly result: RunResult; at(second: number): Observation | undefined } {
  const { controller, seen } = scripted(script);
  const [[, prefill, decode] = [0, 1, 1]] = script;
  const result = runBacktestOnce(setup({ trace: quiet, faults, ...changes }), { prefill, decode }, "x", controller);
  return { seen, result, at: (second) => seen.find(({ at }) => at === second) };
}

describe("faults by name", () => {
  it("metrics-loss: the cluster still counts replicas, no figures come, and the age grows until nothing is fresh", () => {
    const { at } = under([{ kind: "metrics-loss", from: 20, to: 40 }], [[0, 2, 2]], { reportDelay: 0 });
    expect(at(20)?.pools.prefill?.interval?.seconds).toBe(2);
    for (const [second, coverage] of [
      [24, 1],
      [36, 0],
    ] as const) {
      const { pools, transfer } = at(second) ?? { pools: {} };
      expect(pools.prefill).toMatchObject({ replicas: { ready: 2 }, evidence: { age: second - 20, coverage } });
      expect([pools.prefill?.interval, pools.decode?.interval, transfer]).toEqual([undefined, undefined, undefined]);
    }
    expect(at(36)?.pools.decode).not.toHaveProperty("running");
    expect(at(42)?.pools.decode).toMatchObject({ evidence: { age: 0, coverage: 1 }, interval: { seconds: 2 } });
  });

  it("replica-crash: it is replaced after the lead time and its requests finish", () => {
    const { at, result } = under([{ kind: "replica-crash", at: 21, role: "decode" }]);
    expect(at(22)?.pools.decode?.replicas).toEqual({ ready: 1, starting: [{ age: 1 }], draining: 0 });
    expect(at(36)?.pools.decode?.replicas?.ready).toBe(2);
    expect(result.unfinished).toBe(0);
  });

  it("slow-start: replicas that start inside the window take so much longer, others do not", () => {
    const script = [
      [0, 1, 1],
      [10, 2, 1],
      [60, 3, 1],
    ] as const;
    const { at } = under([{ kind: "slow-start", from: 5, to: 20, factor: 2 }], script, { trace: builtinTrace(1) });
    const ready = (second: number) => at(second)?.pools.prefill?.replicas?.ready;
    expect([ready(38), ready(40), ready(74), ready(76)]).toEqual([1, 2, 2, 3]);
  });

  it("unschedulable: nothing starts inside the window, all that waited starts after it", () => {
    const script = [
      [0, 1, 1],
      [10, 3, 1],
    ] as const;
    const { at } = under([{ kind: "unschedulable", from: 5, to: 30 }], script);
    expect(at(28)).toMatchObject({ unschedulable: 2, pools: { prefill: { replicas: { ready: 1, starting: [] } } } });
    expect(at(32)?.pools.prefill?.replicas).toEqual({ ready: 1, starting: [{ age: 2 }, { age: 2 }], draining: 0 });
    expect(at(32)).not.toHaveProperty("unschedulable");
  });

  it("link-slow: transfers take so much longer, prefill and decode work as before", () => {
    const slow = under([{ kind: "link-slow", from: 10, to: 60, factor: 20 }], [[0, 3, 3]], { trace: busy });
    const calm = under([], [[0, 3, 3]], { trace: busy });
    const perByte = ({ seen }: ReturnType<typeof under>, from: number, to: number): number => {
      const inside = seen.flatMap(({ at, transfer }) => (transfer !== undefined && at > from && at <= to ? [transfer] : []));
      return inside.reduce((sum, one) => sum + (one.busySeconds ?? 0), 0) / inside.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
    };
    expect(perByte(slow, 16, 58) / perByte(calm, 16, 58)).toBeGreaterThan(18);
    expect(perByte(slow, 0, 10)).toBe(perByte(calm, 0, 10));
    expect(slow.result.ttft?.mean).toBeGreaterThan(calm.result.ttft?.mean ?? Infinity);
  });

  it("gpu-throttle: hits the pool it names and no other", () => {
    const speed = (role: "prefill" | "decode" | undefined) => {
      const { seen } = under(
        [{ kind: "gpu-throttle", from: 10, to: 50, factor: 3, ...(role === undefined ? {} : { role }) }],
        [[0, 4, 4]],
        {
          trace: busy,
        },
      );
      const inside = seen.filter(({ at }) => at > 14 && at <= 48).map(({ pools }) => pools);
      const prefill = inside.flatMap(({ prefill: p }) => p?.interval?.batches ?? []);
      const decode = inside.flatMap(({ decode: d }) => d?.interval?.steps ?? []);
      const sum = <T>(list: readonly T[], of: (item: T) => number): number => list.reduce((total, item) => total + of(item), 0);
      return {
        prefill: sum(prefill, (one) => one.seconds) / sum(prefill, (one) => one.tokens),
        decode: sum(decode, (one) => one.seconds) / sum(decode, (one) => one.count),
      };
    };
    const [both, prefill, decode] = [speed(undefined), speed("prefill"), speed("decode")];
    expect(both.prefill / decode.prefill).toBeGreaterThan(2);
    expect(both.decode / prefill.decode).toBeGreaterThan(2);
    expect(prefill.prefill / decode.prefill).toBeGreaterThan(2);
    expect(decode.decode / prefill.decode).toBeGreaterThan(2);
  });

  it("clock-skew: no age is reckoned from a node's clock; only TTFT stitched from two clocks is off", () => {
    const script = [[0, 8, 1]] as const;
    // One node is full of prefill replicas, so that decode runs on the next one: the skew lies between them.
    const wide = policy({ budget: { gpus: 16 } });
    const short = { ...quiet, requests: quiet.requests.map((request) => ({ ...request, outputTokens: 2 })) };
    const seen = (faults: readonly Fault[], ttftFrom: "router" | "spans" = "spans") =>
      under(faults, script, { policy: wide, trace: short, ttftFrom }).seen;
    const strip = (o: Observation) => ({
      ...o,
      pools: { ...o.pools, prefill: { ...o.pools.prefill, interval: { ...o.pools.prefill?.interval, ttft: 0 } } },
    });
    const skew: Fault[] = [{ kind: "clock-skew", seconds: 3, node: 2 }];
    expect(seen(skew, "router")).toEqual(seen([], "router"));
    const [calm, skewed] = [seen([]), seen(skew)];
    expect(skewed.map(strip)).toEqual(calm.map(strip));
    const apart = skewed.flatMap((o, index) => {
      const [a, b] = [o.pools.prefill?.interval?.ttft?.p50, calm[index]?.pools.prefill?.interval?.ttft?.p50];
      return a === undefined || b === undefined ? [] : [a - b];
    });
    expect(apart.length).toBeGreaterThan(10);
    expect(apart.filter((difference) => Math.abs(difference - 3) < 1e-9).length).toBeGreaterThan(apart.length / 2);
  });

  it("faults of one kind that overlap multiply, and all pass without a trace", () => {
    const faults: Fault[] = [
      { kind: "gpu-throttle", from: 10, to: 30, factor: 2 },
      { kind: "gpu-throttle", from: 20, to: 40, factor: 2, role: "decode" },
    ];
    const step = (o: Observation | undefined): number => {
      const steps = o?.pools.decode?.interval?.steps;
      return steps === undefined ? Number.NaN : steps.seconds / steps.count / (0.0058 + (2.4e-5 * steps.sequences) / steps.count);
    };
    const { at } = under(faults, [[0, 2, 2]], { reportDelay: 0 });
    const near = (second: number): number => Math.round(step(at(second)));
    expect([near(8), near(18), near(28), near(38), near(48)]).toEqual([1, 2, 4, 2, 1]);
  });
});
