import type { Observation } from "../../core/observation.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import { targetBatch } from "../backtest/setup.ts";
import { paid, poolBounds, toDecision } from "./decision.ts";
import { byAverage, DEFAULT_BEHAVIOR, hpaStep, newHpa, SYNC_SECONDS, type HpaMemory } from "./hpa.ts";

/**
 * `hpa-queue`: one HorizontalPodAutoscaler per pool with Kubernetes' default behaviour (hpa.ts) on requests in the
 * engine (waiting + running) per replica. The two HPAs know neither each other nor the GPU budget; what finds no
 * GPU waits.
 *
 * The prefill target of 5 is borrowed from vLLM production-stack's KEDA example (`vllm:num_requests_waiting` above 5),
 * which counts waiting requests only. Counting running ones too scales a little earlier: without them a pool that is
 * busy but queues nothing would read as idle and shrink.
 */
const PREFILL_TARGET = 5;
/** Share of the batch that would just meet the ITL objective; HPAs need room because they see averages. Ours: nobody publishes one. */
const DECODE_UTILIZATION = 0.8;
/** Sequence length the decode target is computed for before any was seen: a chat turn. */
const TYPICAL_CONTEXT = 1500;

export interface HpaState {
  readonly syncedAt: number;
  readonly decodeTarget: number;
  readonly prefill: HpaMemory;
  readonly decode: HpaMemory;
}

export const hpaQueue: Controller<HpaState> = {
  name: "hpa-queue",
  start: (policy, prior, at) => ({
    syncedAt: at - SYNC_SECONDS,
    decodeTarget: DECODE_UTILIZATION * targetBatch(prior, TYPICAL_CONTEXT, policy.spec),
    prefill: newHpa,
    decode: newHpa,
  }),
  tick(state, o, policy) {
    const { prefill, decode } = o.pools;
    const step = (before: HpaMemory, role: "prefill" | "decode", pool: PoolView, target: number): HpaMemory => {
      if (pool?.replicas === undefined) return before;
      const current = before.desired > 0 ? before.desired : paid(pool.replicas);
      const load = inEngine(pool);
      const recommended = load === undefined ? undefined : byAverage(load, target, current);
      return hpaStep(before, o.at, current, recommended, DEFAULT_BEHAVIOR, poolBounds(policy, role));
    };
    const due = o.at - state.syncedAt >= SYNC_SECONDS;
    const next = !due
      ? state
      : {
          ...state,
          syncedAt: o.at,
          prefill: step(state.prefill, "prefill", prefill, PREFILL_TARGET),
          decode: step(state.decode, "decode", decode, state.decodeTarget),
        };
    const counts = { prefill: next.prefill.desired || paid(prefill?.replicas), decode: next.decode.desired || paid(decode?.replicas) };
    const text = `requests per replica against ${PREFILL_TARGET} and ${state.decodeTarget.toFixed(0)}`;
    return { state: next, decision: toDecision(o, counts, text) };
  },
};

type PoolView = Observation["pools"]["prefill"] | Observation["pools"]["decode"];

function inEngine(pool: PoolView): number | undefined {
  const waiting = pool?.queue?.requests;
  const running = pool?.running?.requests;
  return waiting === undefined || running === undefined ? undefined : waiting + running;
}
