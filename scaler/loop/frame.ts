import type { ModeOverride } from "../../core/override.ts";
import type { Summary } from "../../core/summary.ts";
import type { PageDecision, PageFrame, PagePolicy, PagePool } from "../../wire/page.ts";
import type { Policy } from "../policy/schema.ts";
import { desiredReplicas, POOL_ROLES, poolNameOf, type PoolRole, type TickView } from "./tick-view.ts";

/** One tick as the page shows it. Pure; null = absent, never zero. */
export function frameOf(view: TickView): PageFrame {
  const { observation, decision, policy } = view;
  const { prefill, decode } = observation.pools;
  const { transfer } = observation;
  return {
    at: view.at,
    policy: view.name,
    ttft: latency(prefill?.interval?.ttft, policy.spec.objectives.ttft?.target),
    itl: latency(decode?.interval?.itl, policy.spec.objectives.itl?.target),
    pools: POOL_ROLES.map((role) => pool(view, role)),
    transfer:
      transfer?.bytes === undefined || !(transfer.seconds > 0)
        ? null
        : { bytesPerSecond: transfer.bytes / transfer.seconds, failures: transfer.failures ?? 0 },
    predicted: { ttft: decision.predicted.ttft ?? null, itl: decision.predicted.itl ?? null },
  };
}

function latency(summary: Summary | undefined, target: number | undefined): PageFrame["ttft"] {
  if (summary === undefined) return null;
  const attainment = summary.within === undefined || summary.count === 0 ? null : summary.within / summary.count;
  return { p50: summary.p50, p95: summary.p95, target: target ?? null, attainment };
}

function pool(view: TickView, role: PoolRole): PagePool {
  const seen = view.observation.pools[role];
  const replicas = seen?.replicas;
  return {
    role,
    name: poolNameOf(view.policy, role),
    ready: replicas?.ready ?? null,
    starting: replicas?.starting.length ?? null,
    draining: replicas?.draining ?? null,
    desired: desiredReplicas(view, role) ?? null,
    waiting: seen?.queue?.requests ?? null,
    running: seen?.running?.requests ?? null,
    kvUsage: view.observation.pools.decode !== undefined && role === "decode" ? (view.observation.pools.decode.kvUsage ?? null) : null,
    limit: currentLimit(view, role) ?? null,
    tokensPerSecond: throughput(view, role) ?? null,
    velocity: view.insight?.velocity[role] ?? null,
    gpu: view.gpus[role],
  };
}

function currentLimit({ observation }: TickView, role: PoolRole): number | undefined {
  return role === "prefill" ? observation.pools.prefill?.limits?.maxBatchedTokens : observation.pools.decode?.limits?.maxNumSeqs;
}

/** Tokens the pool computed per second: prompt tokens less cached ones, or output tokens. */
function throughput({ observation }: TickView, role: PoolRole): number | undefined {
  if (role === "decode") {
    const interval = observation.pools.decode?.interval;
    return interval?.outputTokens === undefined || !(interval.seconds > 0) ? undefined : interval.outputTokens / interval.seconds;
  }
  const interval = observation.pools.prefill?.interval;
  const tokens =
    interval?.batches?.tokens ?? (interval?.inputTokens === undefined ? undefined : interval.inputTokens - (interval.cachedTokens ?? 0));
  return interval === undefined || tokens === undefined || !(interval.seconds > 0) ? undefined : tokens / interval.seconds;
}

export function decisionOf({ name, decision, result }: TickView): PageDecision {
  const { outcome, error } = result;
  return { policy: name, decision, outcome, ...(error === undefined ? {} : { error }) };
}

/** `last` is undefined until the first tick. */
export function policyState(name: string, policy: Policy, override: ModeOverride | undefined, last: TickView | undefined): PagePolicy {
  const { objectives, mode, model, budget } = policy.spec;
  return {
    name,
    namespace: policy.metadata.namespace,
    mode: override?.mode ?? mode,
    override: override ?? null,
    model: model ?? last?.facts?.prefill.model ?? null,
    objectives: { ttft: objectives.ttft ?? null, itl: objectives.itl ?? null },
    budgetGpus: budget.gpus ?? null,
    gpusAllocated: last === undefined ? null : (allocatedGpus(last) ?? null),
    lastDecision: last?.decision ?? null,
  };
}

/** GPUs of ready and starting replicas; undefined when the cluster did not say. */
export function allocatedGpus({ observation, policy }: TickView): number | undefined {
  let gpus = 0;
  for (const role of POOL_ROLES) {
    const replicas = observation.pools[role]?.replicas;
    if (replicas === undefined) return undefined;
    gpus += (replicas.ready + replicas.starting.length) * policy.spec.pools[role].gpusPerReplica;
  }
  return gpus;
}
