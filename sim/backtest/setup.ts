import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import type { Prior } from "../../scaler/decide/controller.types.ts";
import type { Policy, PolicySpec } from "../../scaler/policy/schema.ts";
import type { LocalPrefill, PlantConfig } from "../plant/plant.types.ts";
import type { Trace } from "../traces/trace.types.ts";
import type { Fault } from "./faults.ts";

/** Everything a run depends on; runs of the same setup are bit-identical. */
export interface BacktestSetup {
  readonly policy: Policy;
  /** What the plant's replicas really do. */
  readonly prior: Prior;
  /** What controllers believe of them beforehand, where that is not the truth. Hindsight (static, oracle) knows the truth. */
  readonly believed?: Prior;
  readonly trace: Trace;
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** Instead of the policy's lead times. */
  readonly leadTime?: number;
  /** Convertible decode instead of the policy's: of this no controller is told. */
  readonly localPrefill?: LocalPrefill;
  /** Seconds until an agent's report has arrived (default 1.5), and the share that never does (default 0). */
  readonly reportDelay?: number;
  readonly reportLoss?: number;
  /** Who measures TTFT: the router (default), or, where none reports, spans of both ends of a request. */
  readonly ttftFrom?: "router" | "spans";
}

export interface Split {
  readonly prefill: number;
  readonly decode: number;
}

/** vLLM's defaults for an online server (max_num_batched_tokens, max_num_seqs), kept inside the policy's range. */
const ENGINE_LIMITS = { maxBatchedTokens: 8192, maxNumSeqs: 256 };

/** GPUs that exist: the budget, or what both pools may hold together at most. */
export function totalGpus(spec: PolicySpec): number {
  const { prefill, decode } = spec.pools;
  return spec.budget.gpus ?? (prefill.replicas.max ?? 1) * prefill.gpusPerReplica + (decode.replicas.max ?? 1) * decode.gpusPerReplica;
}

/** Largest replica count of each pool under its maximum and the budget, one replica of the other pool aside. */
export function mostReplicas(spec: PolicySpec): Split {
  const { prefill, decode } = spec.pools;
  const gpus = totalGpus(spec);
  const most = (pool: typeof prefill | typeof decode, other: typeof prefill | typeof decode): number =>
    Math.max(1, Math.min(pool.replicas.max ?? Infinity, Math.floor((gpus - other.gpusPerReplica) / pool.gpusPerReplica)));
  return { prefill: most(prefill, decode), decode: most(decode, prefill) };
}

export function plantConfig(setup: BacktestSetup, initial: Split): PlantConfig {
  const { spec } = setup.policy;
  const { prefill, decode } = spec.pools;
  const localPrefill = setup.localPrefill ?? decode.localPrefill;
  const within = (value: number, range: { min: number; max: number }): number => Math.min(range.max, Math.max(range.min, value));
  return {
    seed: setup.seed,
    prefill: {
      replicas: initial.prefill,
      leadTime: setup.leadTime ?? prefill.leadTime,
      gpusPerReplica: prefill.gpusPerReplica,
      maxBatchedTokens: within(ENGINE_LIMITS.maxBatchedTokens, prefill.batch.maxBatchedTokens),
    },
    decode: {
      replicas: initial.decode,
      leadTime: setup.leadTime ?? decode.leadTime,
      gpusPerReplica: decode.gpusPerReplica,
      maxNumSeqs: within(ENGINE_LIMITS.maxNumSeqs, decode.batch.maxNumSeqs),
      ...(localPrefill === undefined ? {} : { localPrefill }),
    },
    gpus: totalGpus(spec),
    kvBytesPerToken: setup.prior.kvBytesPerToken,
    kvCapacityTokens: setup.prior.kvCapacityTokens,
  };
}

/** Opening traffic the start is sized for, and how busy it may keep the replicas. */
const WARM_SECONDS = 60;
const WARM_UTILIZATION = 0.7;

/**
 * Replicas at time 0. A recording starts in the middle of a day, so the fleet is taken as already sized for the
 * first minute's traffic: every adaptive controller starts from this same point, never below the policy's minimum.
 */
export function warmStart(setup: BacktestSetup): Split {
  const { prior, trace, policy } = setup;
  const { spec } = policy;
  const opening = trace.requests.filter(({ arrival }) => arrival < WARM_SECONDS);
  const span = Math.max(1, Math.min(WARM_SECONDS, trace.seconds));
  let busyPrefill = 0;
  let busyDecode = 0;
  for (const { inputTokens, outputTokens } of opening) {
    busyPrefill += prefillSeconds(prior.prefill, inputTokens, inputTokens * inputTokens);
    const context = inputTokens + outputTokens / 2;
    const batch = targetBatch(prior, context, spec);
    busyDecode += (outputTokens * decodeSeconds(prior.decode, batch, batch * context)) / batch;
  }
  const most = mostReplicas(spec);
  const wanted = (busy: number, pool: PolicySpec["pools"]["prefill" | "decode"], cap: number): number =>
    Math.min(cap, Math.max(pool.replicas.min, Math.ceil(busy / span / WARM_UTILIZATION)));
  const start = {
    prefill: wanted(busyPrefill, spec.pools.prefill, most.prefill),
    decode: wanted(busyDecode, spec.pools.decode, most.decode),
  };
  return fitBudget(start, spec);
}

/** Largest batch of such sequences that meets the ITL objective, memory and the engine's limit. */
export function targetBatch(prior: Prior, context: number, spec: PolicySpec): number {
  const { d0, d1, d2 } = prior.decode;
  const itl = spec.objectives.itl?.target ?? Infinity;
  const byLatency = Math.floor((itl - d0) / Math.max(1e-12, d1 + d2 * context));
  const byMemory = Math.floor((0.9 * prior.kvCapacityTokens) / context);
  return Math.max(1, Math.min(byLatency, byMemory, ENGINE_LIMITS.maxNumSeqs));
}

/** Shrinks the larger pool first until the split fits into the GPUs that exist. */
function fitBudget(split: Split, spec: PolicySpec): Split {
  let { prefill, decode } = split;
  const gpus = totalGpus(spec);
  while (prefill * spec.pools.prefill.gpusPerReplica + decode * spec.pools.decode.gpusPerReplica > gpus && prefill + decode > 2) {
    if (prefill >= decode) prefill -= 1;
    else decode -= 1;
  }
  return { prefill, decode };
}
