import { decodeSeconds, prefillSeconds, transferSeconds } from "../../core/latency-model.ts";
import { bytes } from "../../core/units.ts";
import type { Observation } from "../../core/observation.ts";
import type { Controller, Prior } from "../../scaler/decide/controller.types.ts";
import type { PolicySpec } from "../../scaler/policy/schema.ts";
import { paid, poolBounds, toDecision } from "./decision.ts";
import { byAverage, hpaStep, newHpa, SYNC_SECONDS, type Behavior, type HpaMemory } from "./hpa.ts";
import { meanUncached, nothingSeen, seeLengths, type SeenLengths } from "./lengths.ts";

/**
 * `token-backlog`: llm-d's token-aware autoscaling (guides/workload-autoscaling/keda-epp-token-aware, P/D overlay,
 * October 2026): one KEDA ScaledObject, that is one HPA on an `AverageValue`, per role.
 *   prefill replicas = ceil(Σ in-flight uncached prompt tokens ÷ V_P ÷ θ),  V_P = CHUNK ÷ median idle TTFT of a CHUNK
 *   θ = TTFT objective − ISL_uncached/V_P seconds, shaved to 60–70 % for a tail objective; 1.5 s as shipped without one
 *   decode replicas  = ceil(Σ kv_cache_usage ÷ 0.8)
 * Behaviour as in its benchmark: one pod up per 180 s, one down per 300 s after 300 s of window. Both queries end in
 * `or vector(0)`, so missing metrics read as zero.
 *
 * Here: the guide's hand-calibrated V_P comes from the prior through the P/D path (transfer and first step included, as
 * its calibration measures), ISL_uncached is the mean seen so far, and in-flight tokens are requests in the prefill
 * engines times the recent mean uncached prompt, because an observation does not carry the router's exact sum.
 */
const CHUNK = 8192;
const TAIL_SHARE = 0.65;
const SHIPPED_THRESHOLD = 1.5;
/** Where the idle floor already exceeds the objective the guide says no threshold works; a positive one must still be set. */
const LEAST_THRESHOLD_SHARE = 0.05;
const DECODE_THRESHOLD = 0.8;
const RECENT_SECONDS = 60;

const ONE_POD = (period: number, window: number) => ({ window, policies: [{ kind: "pods" as const, value: 1, period }] });
const BEHAVIOR: Behavior = { up: ONE_POD(180, 0), down: ONE_POD(300, 300) };

export interface TokenBacklogState {
  readonly syncedAt: number;
  readonly velocity: number;
  readonly overall: SeenLengths;
  readonly recent: SeenLengths;
  readonly prefill: HpaMemory;
  readonly decode: HpaMemory;
}

export const tokenBacklog: Controller<TokenBacklogState> = {
  name: "token-backlog",
  start: (_policy, prior, at) => ({
    syncedAt: at - SYNC_SECONDS,
    velocity: calibrate(prior),
    overall: nothingSeen,
    recent: nothingSeen,
    prefill: newHpa,
    decode: newHpa,
  }),
  tick(before, o, policy) {
    const { prefill, decode } = o.pools;
    const state = { ...before, overall: seeLengths(before.overall, o, Infinity), recent: seeLengths(before.recent, o, RECENT_SECONDS) };
    const step = (memory: HpaMemory, role: "prefill" | "decode", total: number, target: number): HpaMemory => {
      const counts = o.pools[role]?.replicas;
      if (counts === undefined) return memory;
      const current = memory.desired > 0 ? memory.desired : paid(counts);
      return hpaStep(memory, o.at, current, byAverage(total, target, current), BEHAVIOR, poolBounds(policy, role));
    };
    const seconds = backlogTokens(o, state.recent) / state.velocity;
    const theta = threshold(policy.spec, meanUncached(state.overall) / state.velocity);
    const kv = (decode?.kvUsage ?? 0) * (decode?.replicas?.ready ?? 0);
    const next =
      o.at - state.syncedAt < SYNC_SECONDS
        ? state
        : {
            ...state,
            syncedAt: o.at,
            prefill: step(state.prefill, "prefill", seconds, theta),
            decode: step(state.decode, "decode", kv, DECODE_THRESHOLD),
          };
    const counts = { prefill: next.prefill.desired || paid(prefill?.replicas), decode: next.decode.desired || paid(decode?.replicas) };
    return { state: next, decision: toDecision(o, counts, `${seconds.toFixed(2)} s of backlog against ${theta.toFixed(2)} s per replica`) };
  },
};

/** V_P: the chunk ÷ the TTFT of a prompt of that length on an idle stack. */
export function calibrate(prior: Prior): number {
  const idle =
    prefillSeconds(prior.prefill, CHUNK, CHUNK * CHUNK) +
    transferSeconds(prior.transfer, bytes(CHUNK * prior.kvBytesPerToken)) +
    decodeSeconds(prior.decode, 1, CHUNK);
  return CHUNK / idle;
}

/** θ, seconds of backlog one replica may hold. */
export function threshold(spec: PolicySpec, idleFloor: number): number {
  const target = spec.objectives.ttft?.target;
  if (target === undefined) return SHIPPED_THRESHOLD;
  return Math.max(LEAST_THRESHOLD_SHARE * target, TAIL_SHARE * (target - idleFloor));
}

function backlogTokens(o: Observation, recent: SeenLengths): number {
  const pool = o.pools.prefill;
  return ((pool?.queue?.requests ?? 0) + (pool?.running?.requests ?? 0)) * meanUncached(recent);
}
