import { describe, expect, it } from "vitest";
import { RUNNERS } from "../../../sim/backtest/controllers.ts";
import { oracle } from "../../../sim/baselines/oracle.ts";
import { cheapestSizes } from "../../../sim/baselines/oracle-schedule.ts";
import { generateTrace } from "../../../sim/traces/generate.ts";
import { policy, setup } from "../backtest/setup.ts";

const steady = (rate: number, prompt: number, answer: number, seed: number) => {
  const phase = { seconds: 300, rate, ramp: 0, prompt: { median: prompt, sigma: 0.5 }, answer: { median: answer, sigma: 0.5 } };
  return generateTrace({ name: "steady", start: phase, phases: [phase] }, seed);
};

describe("oracle", () => {
  it.each([
    ["chat", steady(40, 900, 250, 1)],
    ["prompt-heavy", steady(20, 4000, 60, 2)],
    ["answer-heavy", steady(30, 300, 700, 3)],
  ])("pays no more than any controller that attains the objectives on a steady load: %s", { timeout: 120_000 }, (_name, trace) => {
    const scene = setup({ trace, policy: policy({ objectives: { ttft: { target: "500ms" }, itl: { target: "15ms" } } }) });
    const runs = RUNNERS.map((runner) => runner.run(scene, {}));
    const bound = runs.find(({ controller }) => controller === "oracle");
    expect(bound?.attainment.ttft).toBeGreaterThanOrEqual(0.95);
    expect(bound?.attainment.itl).toBeGreaterThanOrEqual(0.95);
    const attaining = runs.filter(({ attainment }) => attainment.ttft >= 0.95 && attainment.itl >= 0.95);
    expect(attaining.length).toBeGreaterThan(1);
    for (const run of attaining) expect(run.gpuHours, run.controller).toBeGreaterThanOrEqual(bound?.gpuHours ?? Infinity);
  });

  it("foresees a surge: ready when it comes, and pays for it only then", { timeout: 120_000 }, () => {
    const quiet = { seconds: 240, rate: 8, ramp: 0, prompt: { median: 900, sigma: 0.5 }, answer: { median: 250, sigma: 0.5 } };
    const trace = generateTrace({ name: "surge", start: quiet, phases: [quiet, { ...quiet, seconds: 60, rate: 90 }, quiet] }, 1);
    const scene = setup({ trace, policy: policy({ objectives: { ttft: { target: "500ms" }, itl: { target: "15ms" } } }) });
    const result = oracle(scene);
    expect(result.attainment.both).toBeGreaterThan(0.93);
    expect(result.actions.up).toBeGreaterThan(0);
    const fixed = RUNNERS.find(({ name }) => name === "static")?.run(scene, {});
    expect(result.gpuHours).toBeLessThan(0.8 * (fixed?.gpuHours ?? 0));
    expect(JSON.stringify(oracle(scene))).toBe(JSON.stringify(result));
  });

  it("plans the cheapest sizes: spends allowed misses where they save most, and no start that costs more than it saves", () => {
    const window = (start: number, misses: readonly number[]) => ({ start, seconds: 60, misses: { prefill: misses, decode: misses } });
    const windows = [window(0, [9, 0, 0, 0]), window(60, [9, 4, 1, 0]), window(120, [9, 9, 0, 0])];
    const pool = { min: 1, gpus: 1, leadTime: 0 };
    expect(cheapestSizes(windows, "prefill", pool, 0)).toEqual([1, 3, 2]);
    expect(cheapestSizes(windows, "prefill", pool, 1)).toEqual([1, 2, 2]);
    expect(cheapestSizes(windows, "prefill", pool, 5)).toEqual([1, 1, 2]);
    const dip = [window(0, [9, 0, 0]), window(60, [9, 9, 0]), window(120, [9, 0, 0]), window(180, [9, 9, 0])];
    expect(cheapestSizes(dip, "prefill", pool, 0)).toEqual([1, 2, 1, 2]);
    expect(cheapestSizes(dip, "prefill", { ...pool, leadTime: 90 }, 0)).toEqual([2, 2, 2, 2]);
  });
});
