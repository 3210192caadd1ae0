import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";

const batch = (apply: string) => ({
  pools: { prefill: { batch: { apply } }, decode: { batch: { apply, maxNumSeqs: { min: 8, max: 512 } } } },
});

/** Decode engines that run with `maxNumSeqs` and take no other, or would. */
function seen(at: number, decode: number, maxNumSeqs: number, fixed: boolean): Observation {
  const o = observationOf({ at, rate: 40, isl: 500, osl: 600, prefill: 2, decode });
  const limits = { maxNumSeqs, ...(fixed ? { fixed: true as const } : {}) };
  return { ...o, pools: { ...o.pools, decode: { ...o.pools.decode, limits } } };
}

function follow(apply: string, maxNumSeqs: number, fixed: boolean): Decision {
  const policy = testPolicy(batch(apply));
  let state = fulcrum.start(policy, h200Prior, 0);
  let decode = 4;
  let last: Decision | undefined;
  for (let i = 1; i <= 60; i += 1) {
    const result = fulcrum.tick(state, seen(i * 5, decode, maxNumSeqs, fixed), policy);
    state = result.state;
    last = result.decision;
    decode = last.pools.decode.replicas;
  }
  if (last === undefined) throw new Error("there were ticks");
  return last;
}

describe("a batch limit that engines refuse to take live", () => {
  it("is not counted on: replicas are those that the engines' own limit needs, as with a recommendation", () => {
    const [taken, refused, recommended] = [follow("live", 16, false), follow("live", 16, true), follow("recommend", 16, false)];
    expect(refused.pools.decode.replicas).toBe(recommended.pools.decode.replicas);
    // Sixteen sequences a replica make far fewer tokens than the batch that meets the target.
    expect(refused.pools.decode.replicas).toBeGreaterThan(taken.pools.decode.replicas);
  });

  it("changes nothing where the engines take it, or run with it already", () => {
    const own = follow("live", 16, false).pools.decode.limits?.maxNumSeqs ?? 0;
    expect(follow("live", own, true).pools.decode.replicas).toBe(follow("live", own, false).pools.decode.replicas);
  });
});
