import type { Decision, Reason } from "../../core/decision.ts";
import type { Observation, ReplicaCounts } from "../../core/observation.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { mostReplicas, targetBatch } from "../backtest/setup.ts";

/**
 * `hpa-queue`: one Kubernetes HorizontalPodAutoscaler per pool on requests in the engine (waiting + running)
 * per replica, with the controller's published rules (kubernetes.io, "Horizontal Pod Autoscaling"):
 * desired = ceil(current · value / target); no change while |value/target − 1| ≤ 0.1; sync every 15 s;
 * scale-down takes the highest recommendation of the last 300 s; scale-up at most doubles or adds four per
 * 15 s, whichever is more. The two HPAs know neither each other nor the GPU budget; what finds no GPU waits.
 */
const TOLERANCE = 0.1;
const SYNC_SECONDS = 15;
const DOWN_WINDOW_SECONDS = 300;
const UP_PODS = 4;

/** Waiting and running prompts per prefill replica: the threshold of vLLM production-stack's KEDA example. */
const PREFILL_TARGET = 5;
/** Share of the batch that would just meet the ITL objective; HPAs need room because they see averages. */
const DECODE_UTILIZATION = 0.8;
/** Sequence length the decode target is computed for before any was seen: a chat turn. */
const TYPICAL_CONTEXT = 1500;

export interface HpaState {
  readonly syncedAt: number;
  readonly decodeTarget: number;
  readonly prefill: Recommendations;
  readonly decode: Recommendations;
}

interface Recommendations {
  readonly desired: number;
  readonly recent: readonly { readonly at: number; readonly replicas: number }[];
}

export const hpaQueue: Controller<HpaState> = {
  name: "hpa-queue",
  start: (policy, prior, at) => ({
    syncedAt: at - SYNC_SECONDS,
    decodeTarget: DECODE_UTILIZATION * targetBatch(prior, TYPICAL_CONTEXT, policy.spec),
    prefill: { desired: 0, recent: [] },
    decode: { desired: 0, recent: [] },
  }),
  tick(state, observation, policy) {
    const { prefill, decode } = observation.pools;
    if (observation.at - state.syncedAt < SYNC_SECONDS) return { state, decision: toDecision(state, observation) };
    const most = mostReplicas(policy.spec);
    const next: HpaState = {
      ...state,
      syncedAt: observation.at,
      prefill: step(state.prefill, observation.at, prefill?.replicas, inEngine(prefill), PREFILL_TARGET, bounds(policy, "prefill", most)),
      decode: step(state.decode, observation.at, decode?.replicas, inEngine(decode), state.decodeTarget, bounds(policy, "decode", most)),
    };
    return { state: next, decision: toDecision(next, observation) };
  },
};

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function bounds(policy: Policy, role: "prefill" | "decode", most: { prefill: number; decode: number }): Bounds {
  return { min: policy.spec.pools[role].replicas.min, max: most[role] };
}

type PoolView = Observation["pools"]["prefill"] | Observation["pools"]["decode"];

/** Undefined when the metric is missing: an HPA without its metric does nothing. */
function inEngine(pool: PoolView): number | undefined {
  const waiting = pool?.queue?.requests;
  const running = pool?.running?.requests;
  return waiting === undefined || running === undefined ? undefined : waiting + running;
}

function step(
  before: Recommendations,
  at: number,
  counts: ReplicaCounts | undefined,
  load: number | undefined,
  target: number,
  { min, max }: Bounds,
): Recommendations {
  if (counts === undefined) return before;
  const current = before.desired > 0 ? before.desired : counts.ready + counts.starting.length;
  if (load === undefined) return { ...before, desired: current };
  const ratio = load / Math.max(1, current) / target;
  const wanted = Math.abs(ratio - 1) <= TOLERANCE ? current : Math.ceil(current * ratio);
  const bounded = Math.min(max, Math.max(min, wanted));
  const recent = [...before.recent.filter((entry) => at - entry.at < DOWN_WINDOW_SECONDS), { at, replicas: bounded }];
  const stabilized = Math.max(...recent.map(({ replicas }) => replicas));
  if (bounded >= current) return { desired: Math.min(bounded, Math.max(2 * current, current + UP_PODS)), recent };
  return { desired: Math.min(current, stabilized), recent };
}

function toDecision(state: HpaState, o: Observation): Decision {
  const count = (role: "prefill" | "decode"): number => {
    const counts = o.pools[role]?.replicas;
    return state[role].desired > 0 ? state[role].desired : (counts?.ready ?? 0) + (counts?.starting.length ?? 0);
  };
  const reasons: Reason[] = [
    { code: "within-range", text: `requests per replica against ${PREFILL_TARGET} and ${state.decodeTarget.toFixed(0)}` },
  ];
  const pools = { prefill: { replicas: count("prefill") }, decode: { replicas: count("decode") } };
  return { type: "decision", at: o.at, pools, moves: [], predicted: {}, reasons, hold: false };
}
