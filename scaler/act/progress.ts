import type { Policy } from "../policy/schema.ts";
import type { Action, ClusterFacts } from "./actuator.ts";

/** Growth that was asked for and is not there yet. */
export interface Growth {
  readonly action: Action;
  readonly at: number;
  readonly told: Outcome;
}

export type Outcome = "starting" | "ready" | "unschedulable" | "failed" | "superseded";

/** Lead times after which replicas that are still not ready count as failed; never under ten minutes (images, weights). */
const PATIENCE = 5;
const AT_LEAST = 600;

/** What became of it. Unschedulable and failed are not the end: the replicas stay asked for, and may still come. */
export function outcomeOf({ action, at }: Growth, facts: ClusterFacts, policy: Policy, now: number): Outcome {
  const pool = facts[action.role];
  if (pool.desired < action.to) return "superseded";
  if (pool.replicas.filter((r) => r.phase === "ready").length >= action.to) return "ready";
  if (pool.unschedulable > 0) return "unschedulable";
  const patience = Math.max(AT_LEAST, PATIENCE * policy.spec.pools[action.role].leadTime);
  return now - at > patience ? "failed" : "starting";
}
