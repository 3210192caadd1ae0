import type { Policy } from "../policy/schema.ts";
import type { Action, PoolFacts } from "./actuator.ts";

/** Growth that was asked for and is not there yet. */
export interface Growth {
  readonly action: Action;
  /** Seconds since 1970. */
  readonly at: number;
  readonly told: Outcome;
}

export type Outcome = "starting" | "ready" | "unschedulable" | "failed" | "timed-out" | "superseded";

/** Seconds for which a container may fail to start before that is a failure: engines are restarted once or twice by themselves. */
const FAILING = 60;
/** Lead times after which replicas that are still not ready are given up; never under ten minutes (images, weights). */
const PATIENCE = 5;
const AT_LEAST = 600;

/** What became of it. `troubles`: why containers of the pool do not start. */
export function outcomeOf({ action, at }: Growth, pool: PoolFacts, troubles: readonly string[], policy: Policy, now: number): Outcome {
  if (pool.desired < action.to) return "superseded";
  if (pool.replicas.filter((r) => r.phase === "ready").length >= action.to) return "ready";
  if (pool.unschedulable > 0) return "unschedulable";
  const { leadTime } = policy.spec.pools[action.role];
  if (troubles.length > 0 && now - at > Math.max(FAILING, leadTime)) return "failed";
  return now - at > Math.max(AT_LEAST, PATIENCE * leadTime) ? "timed-out" : "starting";
}

/** Not coming up is an answer as good as no node: those that start count as ones the cluster has no place for. */
export function withoutStuck(pool: PoolFacts): PoolFacts {
  const there = pool.replicas.filter((r) => r.phase !== "starting");
  return { ...pool, replicas: there, unschedulable: pool.unschedulable + pool.replicas.length - there.length };
}

export const givenUp = (outcome: Outcome): boolean => outcome === "failed" || outcome === "timed-out";
