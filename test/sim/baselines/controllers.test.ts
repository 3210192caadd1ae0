import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import type { Controller } from "../../../scaler/decide/controller.types.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { hpaQueue } from "../../../sim/baselines/hpa-queue.ts";
import { plannerDefault, slaPlanner } from "../../../sim/baselines/sla-planner.ts";
import { sloAware } from "../../../sim/baselines/slo-aware.ts";
import { tokenBacklog } from "../../../sim/baselines/token-backlog.ts";
import { velocity } from "../../../sim/baselines/velocity.ts";
import { createRandom } from "../../../sim/random.ts";
import { policy, setup } from "../backtest/setup.ts";
import { view } from "./view.ts";

/** A controller with its state tucked away, so that all kinds stand in one table. */
interface Player {
  readonly name: string;
  play(observations: readonly Observation[], spec: Policy): Decision[];
}

function player<State>(controller: Controller<State>): Player {
  return {
    name: controller.name,
    play(observations, spec) {
      let state = controller.start(spec, setup().prior, 0);
      return observations.map((observation) => {
        const next = controller.tick(state, observation, spec);
        // Plain JSON, as the door demands: a journalled state must decide the same.
        state = JSON.parse(JSON.stringify(next.state)) as State;
        return next.decision;
      });
    },
  };
}

const players = [player(hpaQueue), player(tokenBacklog), player(sloAware), player(slaPlanner), player(plannerDefault), player(velocity)];

/** Ten minutes of wild views, blind ones among them. */
function wild(seed: number): Observation[] {
  const random = createRandom(seed);
  return Array.from({ length: 120 }, (_, index) =>
    view(
      {
        at: (index + 1) * 5,
        prefill: 1 + Math.floor(random() * 6),
        decode: 1 + Math.floor(random() * 6),
        starting: random() < 0.2 ? 1 : 0,
        waiting: Math.floor(random() * 400),
        running: Math.floor(random() * 900),
        kvTokens: random() * 5e6,
        kvUsage: random(),
        rate: Math.floor(random() * 200),
        ttft: random() * 5,
        itl: random() * 0.1,
      },
      random() < 0.2,
    ),
  );
}

describe.each(players)("$name", ({ play }) => {
  const spec = policy({ budget: { gpus: 8 }, pools: { prefill: { replicas: { min: 2, max: 5 } }, decode: { replicas: { min: 1 } } } });

  it("decides whole replicas within the policy's limits, whatever it sees", () => {
    for (const seed of [1, 2, 3]) {
      const observations = wild(seed).filter(
        (o) => (o.pools.prefill?.replicas?.ready ?? 0) >= 2 && (o.pools.prefill?.replicas?.ready ?? 0) < 5,
      );
      for (const { pools } of play(observations, spec)) {
        expect(Number.isInteger(pools.prefill.replicas) && Number.isInteger(pools.decode.replicas)).toBe(true);
        expect(pools.prefill.replicas).toBeGreaterThanOrEqual(2);
        expect(pools.prefill.replicas).toBeLessThanOrEqual(5);
        expect(pools.decode.replicas).toBeGreaterThanOrEqual(1);
        expect(pools.decode.replicas).toBeLessThanOrEqual(7);
      }
    }
  });

  it("same inputs, same bytes", () => {
    expect(JSON.stringify(play(wild(4), spec))).toBe(JSON.stringify(play(wild(4), spec)));
  });
});

const run = (p: Player | undefined, observations: readonly Observation[], spec = policy({ budget: { gpus: 40 } })): number[][] =>
  (p?.play(observations, spec) ?? []).map(({ pools }) => [pools.prefill.replicas, pools.decode.replicas]);
const named = (name: string): Player | undefined => players.find((p) => p.name === name);
const every = (seconds: number, to: number): number[] => Array.from({ length: to / seconds }, (_, index) => (index + 1) * seconds);

describe("what each does", () => {
  it("token-backlog adds one pod per 180 s and reads a lost metric as zero", () => {
    const rising = run(
      named("token-backlog"),
      every(5, 400).map((at) => view({ at, waiting: 400 })),
    );
    expect(rising.map(([p]) => p).filter((p, index, all) => p !== all[index - 1])).toEqual([3, 4, 5]);
    const lost = run(
      named("token-backlog"),
      every(5, 700).map((at) => view({ at, waiting: at < 30 ? 30 : 0, kvUsage: 0.9 }, at >= 30)),
    );
    expect(lost.at(-1)).toEqual([1, 1]);
  });

  it("slo-aware follows latency ÷ objective, and no traffic drains it", () => {
    const slow = run(
      named("slo-aware"),
      every(5, 120).map((at) => view({ at, ttft: 0.6, itl: 0.015 })),
    );
    expect(slow.at(-1)).toEqual([5, 2]);
    const quiet = run(
      named("slo-aware"),
      every(5, 400).map((at) => view({ at }, true)),
    );
    expect(quiet.at(-1)).toEqual([1, 1]);
  });

  it("sla-planner sets its floor after 180 s from demand alone, and moves by one between", () => {
    const steady = run(
      named("sla-planner"),
      every(5, 190).map((at) => view({ at, prefill: 1, decode: 1, rate: 100, running: 10, kvTokens: 10_000 })),
    );
    expect(steady[34]).toEqual([1, 1]);
    // 100 requests/s of 1000 prompt tokens at about 35k tokens/s; 20k answer tokens/s at 256 sequences in 18 ms.
    expect(steady.at(-1)).toEqual([3, 2]);
    expect(
      run(
        named("sla-planner"),
        [5, 10].map((at) => view({ at, waiting: 400, starting: at === 10 ? 1 : 0 })),
      ),
    ).toEqual([
      [3, 1],
      [3, 1],
    ]);
  });

  it("sla-planner without any metric for a window reads zero traffic, but holds its replicas", () => {
    const blind = run(
      named("sla-planner"),
      every(5, 400).map((at) => view({ at, prefill: 4, decode: 4, rate: 200, running: 400, kvTokens: 500_000 }, at > 180)),
    );
    expect(new Set(blind.slice(40).map(String)).size).toBe(1);
  });

  it("velocity divides arriving tokens by velocities at once, cached tokens included", () => {
    const [first] = run(named("velocity"), [view({ at: 5, rate: 100, prompt: 1000, cached: 900 })]);
    expect(first).toEqual([3, 2]);
    const held = named("velocity")?.play([view({ at: 5 }, true)], policy())[0];
    expect([held?.hold, held?.pools.prefill.replicas]).toEqual([true, 2]);
  });
});
