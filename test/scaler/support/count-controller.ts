import type { Controller } from "../../../scaler/decide/controller.types.ts";
import type { ControllerKit } from "../../../scaler/loop/kit.ts";

/** A small real controller: wants as many prefill replicas as there are waiting requests, and counts its ticks. */
export interface CountState {
  readonly ticks: number;
  readonly arrivals: number;
  readonly startedAt: number;
}

export const countController: Controller<CountState> = {
  name: "count",
  start: (_policy, _prior, at) => ({ ticks: 0, arrivals: 0, startedAt: at }),
  tick(state, observation, policy) {
    const prefill = observation.pools.prefill;
    const known = prefill?.replicas !== undefined && (prefill.evidence?.coverage ?? 0) >= policy.spec.behavior.evidence.minCoverage;
    const wanted = Math.max(1, Math.min(6, prefill?.queue?.requests ?? 1));
    return {
      state: { ...state, ticks: state.ticks + 1, arrivals: state.arrivals + (prefill?.interval?.arrivals ?? 0) },
      decision: {
        type: "decision",
        at: observation.at,
        pools: {
          prefill: { replicas: known ? wanted : 2, limits: { maxBatchedTokens: 4096 } },
          decode: { replicas: 2, limits: { maxNumSeqs: 128 } },
        },
        moves: [],
        predicted: { ttft: 0.25 },
        reasons: [known ? { code: "prefill-short", text: `${wanted} wait` } : { code: "insufficient-evidence", text: "too few reports" }],
        hold: !known,
      },
    };
  },
};

export const countKit: ControllerKit<CountState> = {
  controller: countController,
  resume: (state, _policy, at) => ({ ...state, startedAt: at }),
  insight: () => null,
};
