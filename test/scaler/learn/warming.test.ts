import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { factors } from "../../../scaler/learn/fit.ts";
import { learn, startLearning, type Learned } from "../../../scaler/learn/learn.ts";
import { noneWarming, noteReady, warmingUp } from "../../../scaler/learn/warming.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";

const { spec } = testPolicy();
const counts = (ready: number) => ({ ready, starting: [], draining: 0 });

/** An interval of a decode pool whose steps take `slower` times as long. */
function seen(at: number, decode: number, slower: number): Observation {
  const o = observationOf({ at, rate: 20, isl: 1000, osl: 200, prefill: 2, decode });
  const interval = o.pools.decode?.interval;
  if (interval?.steps === undefined) throw new Error("observed");
  const steps = { ...interval.steps, seconds: interval.steps.seconds * slower };
  return { ...o, pools: { ...o.pools, decode: { ...o.pools.decode, interval: { ...interval, steps } } } };
}

describe("warming-up replicas", () => {
  it("are those that became ready in the last 20 s, unless they are few", () => {
    let w = noteReady(noneWarming, counts(4), 0);
    expect(warmingUp(w, 0)).toBe(false);
    w = noteReady(w, counts(6), 5);
    expect(warmingUp(w, 5)).toBe(true);
    expect(warmingUp(noteReady(w, counts(6), 20), 20)).toBe(true);
    expect(warmingUp(noteReady(w, counts(6), 25), 25)).toBe(false);
    expect(warmingUp(noteReady(noteReady(noneWarming, counts(40), 0), counts(41), 5), 5)).toBe(false);
    expect(noteReady(w, undefined, 10)).toBe(w);
  });

  it("do not teach the model of their pool, however slow they are; what comes after does", () => {
    let l: Learned = startLearning(spec);
    for (let at = 5; at <= 100; at += 5) l = learn(l, seen(at, 2, 1), spec, h200Prior);
    const before = l.decode;
    for (let at = 105; at <= 120; at += 5) l = learn(l, seen(at, 4, 2), spec, h200Prior);
    expect(l.decode).toEqual(before);
    for (let at = 125; at <= 300; at += 5) l = learn(l, seen(at, 4, 1.3), spec, h200Prior);
    expect(Math.abs(factors(l.decode)[0] / 1.3 - 1)).toBeLessThan(0.06);
  });

  it("teach when nothing is known yet", () => {
    let l = learn(startLearning(spec), { ...seen(5, 2, 3), pools: {} }, spec, h200Prior);
    l = learn(l, seen(10, 2, 3), spec, h200Prior);
    expect(factors(l.decode)[0]).toBeCloseTo(3, 1);
  });
});
