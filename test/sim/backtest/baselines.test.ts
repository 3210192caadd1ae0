import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { runBacktestOnce } from "../../../sim/backtest/run.ts";
import { hpaQueue } from "../../../sim/baselines/hpa-queue.ts";
import { bestStatic } from "../../../sim/baselines/static.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";
import { windowTrace } from "../../../sim/traces/rate.ts";
import { policy, setup } from "./setup.ts";

describe("static, the best fixed split in hindsight", () => {
  const phases = [
    ["chat", windowTrace(builtinTrace(1), 0, 80)],
    ["long prompts", windowTrace(builtinTrace(1), 90, 160)],
    ["everything", builtinTrace(1)],
  ] as const;

  it.each(phases)("is what trying every split finds: %s", { timeout: 60_000 }, (_name, trace) => {
    const scene = setup({ trace });
    const { result, trials } = bestStatic(scene);
    const all = Array.from({ length: 7 }, (_, p) => Array.from({ length: 7 - p }, (__, d) => ({ prefill: p + 1, decode: d + 1 }))).flat();
    const runs = all.map((split) => ({ split, run: runBacktestOnce(scene, split, "static", undefined) }));
    const attaining = runs.filter(({ run }) => run.attainment.ttft >= 0.95 && run.attainment.itl >= 0.95);
    const gpus = ({ prefill, decode }: { prefill: number; decode: number }): number => prefill + decode;
    expect(trials).toBeLessThan(all.length);
    if (attaining.length > 0) expect(gpus(result.initial)).toBe(Math.min(...attaining.map(({ split }) => gpus(split))));
    else expect(result.attainment.both).toBe(Math.max(...runs.map(({ run }) => run.attainment.both)));
    expect([result.aborted, result.actions.up]).toEqual([false, 0]);
  });

  it("stays within the policy's minimum", () => {
    const pools = { prefill: { replicas: { min: 3 } }, decode: { replicas: { min: 2 } } };
    const { result } = bestStatic(setup({ trace: windowTrace(builtinTrace(1), 240, 300), policy: policy({ pools }) }));
    expect(result.initial).toEqual({ prefill: 3, decode: 2 });
  });
});

describe("hpa-queue", () => {
  const spec = policy({ budget: { gpus: 40 } });
  const start = () => hpaQueue.start(spec, setup().prior, 0);

  function view(at: number, prefill: number, inPrefill: number | undefined, decode = 2, inDecode = 2): Observation {
    const pool = (ready: number, requests: number | undefined) => ({
      replicas: { ready, starting: [], draining: 0 },
      ...(requests === undefined ? {} : { queue: { requests }, running: { requests: 0 } }),
    });
    return { type: "observation", at, pools: { prefill: pool(prefill, inPrefill), decode: pool(decode, inDecode) } };
  }
  const prefillAfter = (steps: readonly (readonly [number, number | undefined])[]): number[] => {
    let state = start();
    let replicas = 2;
    return steps.map(([at, requests]) => {
      const next = hpaQueue.tick(state, view(at, replicas, requests), spec);
      state = next.state;
      replicas = next.decision.pools.prefill.replicas;
      return replicas;
    });
  };

  it("grows to ceil(load ÷ 5), at most doubling or by four", () => {
    expect(prefillAfter([[15, 15]])).toEqual([3]);
    expect(
      prefillAfter([
        [15, 500],
        [30, 500],
        [45, 500],
      ]),
    ).toEqual([6, 12, 24]);
  });

  it("leaves a ratio within the tolerance of 0.1 alone", () => {
    expect(
      prefillAfter([
        [15, 10.9],
        [30, 9.1],
      ]),
    ).toEqual([2, 2]);
    expect(prefillAfter([[15, 11.1]])).toEqual([3]);
  });

  it("syncs every 15 s only", () => {
    expect(
      prefillAfter([
        [15, 10],
        [20, 500],
        [29, 500],
        [30, 20],
      ]),
    ).toEqual([2, 2, 2, 4]);
  });

  it("shrinks only to the highest recommendation of five minutes", () => {
    expect(
      prefillAfter([
        [15, 30],
        [30, 0],
        [300, 10],
        [316, 10],
        [600, 10],
      ]),
    ).toEqual([6, 6, 6, 2, 2]);
  });

  it("without its metric does nothing", () => {
    expect(
      prefillAfter([
        [15, undefined],
        [30, undefined],
      ]),
    ).toEqual([2, 2]);
  });
});
