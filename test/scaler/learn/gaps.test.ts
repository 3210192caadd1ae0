import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { factors } from "../../../scaler/learn/fit.ts";
import { learn, startLearning } from "../../../scaler/learn/learn.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";

const { spec } = testPolicy();
const { d0, d1, d2 } = h200Prior.decode;
const CONTEXT = 1200;

/** A pool of three whose engine counts no steps (TensorRT-LLM): mean gap between tokens and gauges are all there is. */
function withoutSteps(at: number, sequences: number, slower: number): Observation {
  const o = observationOf({ at, rate: 20, isl: 1000, osl: 200, prefill: 2, decode: 3 });
  const { steps: _none, ...interval } = o.pools.decode?.interval ?? { seconds: 5 };
  const gap = slower * (d0 + d1 * sequences + d2 * sequences * CONTEXT);
  const itl = { count: 1000, mean: gap, p50: gap, p90: gap, p95: gap, p99: gap };
  const running = { requests: sequences * 3, kvTokens: sequences * 3 * CONTEXT };
  return { ...o, pools: { ...o.pools, decode: { ...o.pools.decode, running, interval: { ...interval, itl } } } };
}

describe("an engine that counts no decode steps", () => {
  it("still teaches the decode model, from the gaps between tokens and the gauges", () => {
    let l = startLearning(spec);
    for (let i = 1; i <= 60; i++) l = learn(l, withoutSteps(i * 5, 40 + (i % 20), 2), spec, h200Prior);
    for (const f of factors(l.decode)) expect(f).toBeCloseTo(2, 2);
  });

  it("teaches nothing without its gauges", () => {
    const o = withoutSteps(5, 40, 2);
    const { running: _gone, ...decode } = o.pools.decode ?? {};
    const l = learn(startLearning(spec), { ...o, pools: { ...o.pools, decode } }, spec, h200Prior);
    expect(l.decode).toEqual(startLearning(spec).decode);
  });
});
