import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "../../../core/duration.ts";
import { countActions } from "../../../sim/backtest/actions.ts";
import { findRunners } from "../../../sim/backtest/controllers.ts";
import { parseFault } from "../../../sim/backtest/faults.ts";
import { summarize, summarizeWeighted } from "../../../sim/backtest/quantiles.ts";
import { parseThresholds } from "../../../sim/backtest/thresholds.ts";

describe("quantiles", () => {
  it("weighted figures equal those of the repeated samples", () => {
    const samples = fc.array(fc.record({ value: fc.double({ min: 0, max: 10, noNaN: true }), weight: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(samples, (weighted) => {
        const repeated = weighted.flatMap(({ value, weight }) => Array.from({ length: weight }, () => value));
        const [a, b] = [summarizeWeighted(weighted, 5), summarize(repeated, 5)];
        expect({ ...a, mean: 0 }).toEqual({ ...b, mean: 0 });
        expect(a?.mean).toBeCloseTo(b?.mean ?? Number.NaN, 9);
      }),
    );
  });

  it("are nearest ranks; no samples give no summary", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summarize(hundred, 30)).toEqual({ count: 100, mean: 50.5, p50: 50, p90: 90, p95: 95, p99: 99, within: 30 });
    expect([summarize([]), summarizeWeighted([{ value: 1, weight: 0 }])]).toEqual([undefined, undefined]);
  });
});

describe("actions of a timeline", () => {
  it("counts ups, downs, conversions, and reversals within 120 s only", () => {
    const timeline = [
      [0, 2, 3],
      [35, 3, 3],
      [100, 2, 4],
      [155, 2, 3],
      [400, 2, 4],
    ] as const;
    expect(countActions(timeline)).toEqual({ up: 3, down: 2, conversions: 1, reversals: 2 });
  });

  it("finds none where nothing moves", () => {
    expect(countActions([[0, 1, 1]])).toEqual({ up: 0, down: 0, conversions: 0, reversals: 0 });
  });
});

describe("command line values", () => {
  it.each([
    ["replica-crash=90s", { kind: "replica-crash", at: 90, role: "decode" }],
    ["replica-crash=90:prefill", { kind: "replica-crash", at: 90, role: "prefill" }],
    ["replica-crash=1m/prefill", { kind: "replica-crash", at: 60, role: "prefill" }],
    ["metrics-loss=10s-1m30s", { kind: "metrics-loss", from: 10, to: 90 }],
    ["metrics-loss=600-780", { kind: "metrics-loss", from: 600, to: 780 }],
    ["unschedulable=10s-20s", { kind: "unschedulable", from: 10, to: 20 }],
    ["link-slow=1m-2m:20", { kind: "link-slow", from: 60, to: 120, factor: 20 }],
    ["slow-start=3", { kind: "slow-start", from: 0, to: Infinity, factor: 3 }],
    ["slow-start=3:1m-2m", { kind: "slow-start", from: 60, to: 120, factor: 3 }],
    ["gpu-throttle=10-20:1.5", { kind: "gpu-throttle", from: 10, to: 20, factor: 1.5 }],
    ["gpu-throttle=10-20:1.5:decode", { kind: "gpu-throttle", from: 10, to: 20, factor: 1.5, role: "decode" }],
    ["clock-skew=-300ms", { kind: "clock-skew", seconds: -0.3 }],
    ["clock-skew=5:node-2", { kind: "clock-skew", seconds: 5, node: 2 }],
  ])("fault %s", (text, fault) => {
    expect(parseFault(text, parseDuration)).toEqual({ ok: true, value: fault });
  });

  it.each([
    ["replica-crash=soon", '"soon" is not a time; write replica-crash=AT[:role]'],
    ["replica-crash=1m:router", '"router" is not a pool; write replica-crash=AT[:role]'],
    ["metrics-loss=1m", '"1m" is not FROM-TO; write metrics-loss=FROM-TO'],
    ["metrics-loss=2m-1m", "TO must lie after FROM; write metrics-loss=FROM-TO"],
    ["metrics-loss=1m-2m:9", '":9" is too much; write metrics-loss=FROM-TO'],
    ["link-slow=1m-2m", '"" is not a factor above zero; write link-slow=FROM-TO:FACTOR'],
    ["link-slow=1m-2m:0", '"0" is not a factor above zero'],
    ["slow-start=fast", '"fast" is not a factor above zero; write slow-start=FACTOR[:FROM-TO]'],
    ["slow-start=2:1m", '"1m" is not FROM-TO'],
    ["gpu-throttle=1m-2m:2:router", '"router" is not a pool; write gpu-throttle=FROM-TO:FACTOR[:role]'],
    ["clock-skew=1s:0", '"0" is not a node; write clock-skew=SECONDS[:node]'],
    ["earthquake=1m", 'there is no fault "earthquake"; known faults: replica-crash=AT[:role], metrics-loss=FROM-TO, link-slow='],
    ["", 'there is no fault ""; known faults: '],
  ])("bad fault %s", (text, why) => {
    const parsed = parseFault(text, parseDuration);
    expect(parsed.ok ? "" : parsed.error).toContain(`--fault ${text}: ${why}`);
  });

  it("controllers: known and unknown ones", () => {
    const names = (list: readonly string[]) => {
      const found = findRunners(list);
      return found.ok ? found.value.map(({ name }) => name) : found.error;
    };
    expect(names(["static", "fulcrum", "static"])).toEqual(["static", "fulcrum"]);
    const all = "fulcrum, static, hpa-queue, token-backlog, slo-aware, sla-planner, planner-default, velocity, oracle";
    expect(names(all.split(", "))).toEqual(all.split(", "));
    expect(names(["magic"])).toBe(`--controllers: there is no controller "magic"; available: ${all}`);
    expect(names([])).toContain("name at least one");
  });

  it("thresholds", () => {
    expect(parseThresholds(["attainment=0.99", "attainment.itl=1"])).toEqual({
      ok: true,
      value: [
        { figure: "attainment", least: 0.99 },
        { figure: "attainment.itl", least: 1 },
      ],
    });
    for (const bad of ["attainment", "attainment=", "attainment=1.5", "speed=0.5", "attainment=x"]) {
      expect(parseThresholds([bad])).toMatchObject({ ok: false, error: expect.stringContaining(`--fail-under ${bad}: write one of`) });
    }
  });
});
