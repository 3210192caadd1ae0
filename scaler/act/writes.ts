import type { Decision } from "../../core/decision.ts";
import type { Policy } from "../policy/schema.ts";
import type { Action, ClusterFacts } from "./actuator.ts";

type Role = "prefill" | "decode";

/** A change to make; made, it is the action of that name. */
export type Write = Action;

/**
 * The writes that bring the cluster to the decision, in order. Growing comes first, so that a conversion never dips below the
 * objective; where the free GPUs do not suffice for the growth, shrinking comes first, or the new replica would wait for them.
 */
export function planWrites(policy: Policy, decision: Decision, facts: ClusterFacts): readonly Write[] {
  const scales = (["prefill", "decode"] as const).flatMap((role) => scale(role, decision, facts));
  const ups = scales.filter((w) => w.to > (w.from ?? 0));
  const downs = scales.filter((w) => w.to < (w.from ?? 0));
  const needed = ups.reduce((sum, w) => sum + (w.to - (w.from ?? 0)) * policy.spec.pools[w.role].gpusPerReplica, 0);
  const free = facts.gpus === undefined ? Number.POSITIVE_INFINITY : facts.gpus.total - facts.gpus.used;
  return [...(needed > free ? [...downs, ...ups] : [...ups, ...downs]), ...limits(policy, decision, facts)];
}

function scale(role: Role, decision: Decision, facts: ClusterFacts): readonly Write[] {
  const to = decision.pools[role].replicas;
  const from = facts[role].desired;
  return to === from ? [] : [{ role, pool: facts[role].name, kind: "replicas", from, to }];
}

/** Only `apply: live` writes limits; `recommend` and `rollout` show them (a rollout needs a cluster that can do one). */
function limits(policy: Policy, decision: Decision, facts: ClusterFacts): readonly Write[] {
  const { prefill, decode } = policy.spec.pools;
  return [
    ...limit("prefill", prefill.batch.apply, decision.pools.prefill.limits?.maxBatchedTokens, facts.prefill.limits.maxBatchedTokens, facts),
    ...limit("decode", decode.batch.apply, decision.pools.decode.limits?.maxNumSeqs, facts.decode.limits.maxNumSeqs, facts),
  ];
}

function limit(role: Role, apply: string, to: number | undefined, from: number | undefined, facts: ClusterFacts): readonly Write[] {
  if (apply !== "live" || to === undefined || to === from) return [];
  return [{ role, pool: facts[role].name, kind: "limit", from: from ?? null, to }];
}
