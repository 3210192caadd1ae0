import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";

/** Decode steps that take `slower` times what the prior says. */
function off(o: Observation, slower: number): Observation {
  const interval = o.pools.decode?.interval;
  if (interval?.steps === undefined) throw new Error("observed");
  const steps = { ...interval.steps, seconds: interval.steps.seconds * slower };
  return { ...o, pools: { ...o.pools, decode: { ...o.pools.decode, interval: { ...interval, steps } } } };
}

/** A load that falls to `rest` requests per second after five minutes, on six decode replicas; `slower` says how far off steps are at a tick. */
function follow(slower: (tick: number) => number, rest = 6): Decision[] {
  const policy = testPolicy();
  let state = fulcrum.start(policy, h200Prior, 0);
  let decode = 6;
  return Array.from({ length: 120 }, (_, i) => {
    const o = observationOf({ at: (i + 1) * 5, rate: i < 60 ? 60 : rest, isl: 500, osl: 400, prefill: 2, decode });
    const result = fulcrum.tick(state, off(o, slower(i)), policy);
    state = result.state;
    decode = result.decision.pools.decode.replicas;
    return result.decision;
  });
}

const mismatches = (all: readonly Decision[]): number => all.filter((d) => d.reasons.some(({ code }) => code === "model-mismatch")).length;

describe("a model that does not describe what is delivered", () => {
  it("is named, and its pool does not shrink while the model is refitted", () => {
    // Steps of no one speed: neither a factor nor a shape explains them.
    const decisions = follow((i) => (i % 2 === 0 ? 0.55 : 1.8));
    expect(mismatches(decisions.slice(60))).toBeGreaterThan(50);
    const least = Math.min(...decisions.slice(60).map((d) => d.pools.decode.replicas));
    expect(least).toBeGreaterThanOrEqual(decisions[59]?.pools.decode.replicas ?? Infinity);
    const reason = decisions.at(-1)?.reasons.find(({ code }) => code === "model-mismatch");
    expect(reason?.numbers?.["errorRatio"]).toBeGreaterThan(0.25);
  });

  it("does not keep an idle fleet, on which it cannot be refitted", () => {
    const decisions = follow((i) => (i % 2 === 0 ? 0.55 : 1.8), 0);
    expect(mismatches(decisions.slice(40, 60))).toBeGreaterThan(10);
    expect(decisions.at(-1)?.pools.decode.replicas).toBe(1);
  });

  it("is not found where the model is only of another speed than the prior, or scatters a little", () => {
    const other = follow((i) => 2 + ((i * 13) % 7) / 50);
    expect(mismatches(other)).toBe(0);
    expect(other.at(-1)?.pools.decode.replicas).toBeLessThan(3);
  });

  it("is over soon after a machine changed its speed for good", () => {
    const decisions = follow((i) => (i < 40 ? 1 : 4));
    expect(mismatches(decisions.slice(40, 60))).toBeGreaterThan(0);
    expect(mismatches(decisions.slice(60))).toBe(0);
  });
});
