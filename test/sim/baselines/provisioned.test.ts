import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import type { Controller } from "../../../scaler/decide/controller.types.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { toDecision } from "../../../sim/baselines/decision.ts";
import { provisioned } from "../../../sim/baselines/provisioned.ts";
import { velocity } from "../../../sim/baselines/velocity.ts";
import { policy, setup } from "../backtest/setup.ts";
import { view } from "./view.ts";

/** Asks for what it is told to, and says what it was shown. */
function echo(prefill: number, decode: number) {
  const seen: { observation: Observation; policy: Policy }[] = [];
  const controller: Controller<null> = {
    name: "echo",
    start: () => null,
    tick(_state, observation, shown) {
      seen.push({ observation, policy: shown });
      return { state: null, decision: toDecision(observation, { prefill, decode }, "as told") };
    },
  };
  return { controller, seen };
}

const counts = (o: Observation | undefined) =>
  [o?.pools.prefill, o?.pools.decode].map((pool) => [pool?.replicas?.ready, pool?.replicas?.starting.length]);

describe("a controller with more replicas than it asks for", () => {
  const spec = policy({ budget: { gpus: 12 }, pools: { prefill: { replicas: { min: 2, max: 6 } }, decode: { replicas: { min: 1 } } } });

  it("multiplies its orders within the policy, and shows it a fleet, limits and a budget as much smaller", () => {
    const { controller, seen } = echo(3, 5);
    const { decision } = provisioned(controller, 1.5).tick(null, view({ at: 5, prefill: 5, decode: 8, kvUsage: 0.5 }), spec);
    expect([decision.pools.prefill.replicas, decision.pools.decode.replicas]).toEqual([5, 8]);
    expect(counts(seen[0]?.observation)).toEqual([
      [3, 0],
      [5, 0],
    ]);
    expect(seen[0]?.observation.pools.decode?.kvUsage).toBeCloseTo(0.8, 12);
    const { budget, pools } = seen[0]?.policy.spec ?? spec.spec;
    expect([budget.gpus, pools.prefill.replicas.min, pools.prefill.replicas.max]).toEqual([8, 2, 4]);
    const most = provisioned(echo(5, 5).controller, 1.5).tick(null, view({ at: 5 }), spec).decision;
    expect(most.pools.prefill.replicas).toBe(6);
  });

  it("is told of what starts, and is never told that nobody serves when somebody does", () => {
    const { controller, seen } = echo(1, 1);
    const tick = (prefill: number, starting: number) => provisioned(controller, 3).tick(null, view({ at: 5, prefill, starting }), spec);
    tick(1, 0);
    tick(1, 2);
    tick(3, 3);
    expect(seen.map(({ observation }) => counts(observation)[0])).toEqual([
      [1, 0],
      [1, 1],
      [1, 1],
    ]);
  });

  it("sees its own order once it is carried out, whatever the factor", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 1, max: 4, noNaN: true }), (order, factor) => {
        const { controller, seen } = echo(1, order);
        const wide = policy({ pools: { decode: { replicas: { min: 1, max: 400 } } } });
        const more = provisioned(controller, factor);
        const carried = more.tick(null, view({ at: 5 }), wide).decision.pools.decode.replicas;
        more.tick(null, view({ at: 10, decode: carried }), wide);
        expect(counts(seen[1]?.observation)[1]).toEqual([order, 0]);
      }),
    );
  });

  it("one that divides demand by capacity asks for exactly as many times more", () => {
    const wide = policy({
      budget: { gpus: 60 },
      pools: { prefill: { replicas: { min: 1, max: 100 } }, decode: { replicas: { min: 1, max: 100 } } },
    });
    const first = (controller: Controller<Parameters<typeof velocity.tick>[0]>) =>
      controller.tick(controller.start(wide, setup().prior, 0), view({ at: 5, rate: 90 }), wide).decision.pools;
    const once = first(velocity);
    const twice = first(provisioned(velocity, 2));
    expect([twice.prefill.replicas, twice.decode.replicas]).toEqual([2 * once.prefill.replicas, 2 * once.decode.replicas]);
  });
});
