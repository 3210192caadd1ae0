import type { Policy } from "../policy/schema.ts";
import type { Action, ClusterFacts, PoolFacts } from "./actuator.ts";

type Role = "prefill" | "decode";

export interface Ordered {
  readonly steps: readonly Action[];
  /** Growth that must wait, and for what. */
  readonly waiting: { readonly role: Role; readonly text: string } | undefined;
  /** Changes that are against the policy, whoever asked for them. */
  readonly refused: string | undefined;
}

/**
 * In which order counts are written so that the GPUs asked for and held never exceed the budget in between. Growth comes first
 * where it fits, so that a conversion never dips below the objective. Where it does not, shrinking comes first, and growth waits
 * until the replicas that go have let go of their GPUs: a draining replica holds them.
 */
export function orderWrites(policy: Policy, wanted: readonly Action[], facts: ClusterFacts): Ordered {
  const changes = wanted.filter((w) => w.kind === "replicas");
  const against = changes.map((w) => beyond(policy, w)).find((text) => text !== undefined);
  if (against !== undefined) return { steps: [], waiting: undefined, refused: against };
  const ups = changes.filter((w) => w.to > from(w));
  const downs = changes.filter((w) => w.to < from(w));
  const free = freeGpus(policy, facts);
  const needed = ups.reduce((sum, w) => sum + (holding(facts[w.role], w.to) - holding(facts[w.role])) * gpus(policy, w.role), 0);
  if (needed <= free) return { steps: [...ups, ...downs], waiting: undefined, refused: undefined };
  let left = free;
  const steps: Action[] = [...downs];
  let waiting: Ordered["waiting"];
  for (const up of ups) {
    const each = gpus(policy, up.role);
    const fits = Math.max(from(up), Math.min(up.to, mostOf(facts[up.role], Math.max(0, Math.floor(left / each)))));
    left -= (holding(facts[up.role], fits) - holding(facts[up.role])) * each;
    if (fits > from(up)) steps.push({ ...up, to: fits });
    if (fits === up.to) continue;
    const text = `${up.role} pool ${up.pool}: ${up.to - fits} more wait until ${(up.to - fits) * each} GPUs of the budget of ${policy.spec.budget.gpus ?? 0} are let go`;
    waiting = { role: up.role, text };
  }
  return { steps, waiting, refused: undefined };
}

/** Replicas of a pool that hold GPUs or will, were its count `desired`: what drains holds them yet, and does not come back. */
function holding(pool: PoolFacts, desired: number = pool.desired): number {
  return Math.max(desired + drainingIn(pool), pool.replicas.length + pool.unschedulable);
}

/** The largest count with which the pool holds at most `more` replicas more than now. */
const mostOf = (pool: PoolFacts, more: number): number => holding(pool) + more - drainingIn(pool);

const drainingIn = (pool: PoolFacts): number => pool.replicas.filter((r) => r.phase === "draining").length;

function freeGpus(policy: Policy, facts: ClusterFacts): number {
  const budget = policy.spec.budget.gpus;
  if (budget === undefined) return Number.POSITIVE_INFINITY;
  return budget - holding(facts.prefill) * gpus(policy, "prefill") - holding(facts.decode) * gpus(policy, "decode");
}

/** The last check before a write: the decision was within these bounds, so this only ever says no to a mistake. */
function beyond(policy: Policy, w: Action): string | undefined {
  const { min, max } = policy.spec.pools[w.role].replicas;
  if (w.to > from(w) && max !== undefined && w.to > max)
    return `${w.role} pool ${w.pool}: ${w.to} replicas are over the policy's maximum of ${max}`;
  if (w.to < from(w) && w.to < min) return `${w.role} pool ${w.pool}: ${w.to} replicas are under the policy's minimum of ${min}`;
  return undefined;
}

const from = (w: Action): number => w.from ?? 0;
const gpus = (policy: Policy, role: Role): number => policy.spec.pools[role].gpusPerReplica;
