import type { Decision } from "../../core/decision.ts";
import type { ReplicaCounts } from "../../core/observation.ts";
import type { PolicySpec } from "../../scaler/policy/schema.ts";

type Role = keyof Decision["pools"];

/**
 * What was advised, per pool: the count, and when each replica that was not ready yet was asked for (oldest first, any clock in
 * seconds). For drivers that say how many replicas are ready but not which are starting or since when.
 */
export type Asked = Readonly<Record<Role, { readonly replicas: number; readonly since: readonly number[] }>>;

export const nothingAsked: Asked = { prefill: { replicas: 0, since: [] }, decode: { replicas: 0, since: [] } };

/** What has not become ready within so many lead times was not started: the driver follows somebody else. */
const PATIENCE = 3;

/** The replicas that should be starting when `ready` are: those advised since, oldest first. */
export function expectedStarting(asked: Asked, role: Role, ready: number, at: number, spec: PolicySpec): ReplicaCounts["starting"] {
  const { replicas, since } = asked[role];
  const awaited = since.filter((time) => at - time <= PATIENCE * spec.pools[role].leadTime);
  const count = Math.min(awaited.length, Math.max(0, replicas - ready));
  return awaited.slice(awaited.length - count).map((time) => ({ age: Math.max(0, at - time) }));
}

/** The counts of a pool whose driver never gives any: what was advised, ready a lead time after it was asked for. */
export function assumedCounts(asked: Asked, role: Role, at: number, spec: PolicySpec): ReplicaCounts {
  const { replicas, since } = asked[role];
  const starting = since.filter((time) => at - time < spec.pools[role].leadTime).map((time) => ({ age: Math.max(0, at - time) }));
  return { ready: replicas - starting.length, starting, draining: 0 };
}

/** After an answer: the replicas it asks for beyond those ready and starting are asked for now; the youngest are given up first. */
export function ask(before: Asked, role: Role, seen: ReplicaCounts | undefined, decision: Decision): Asked[Role] {
  if (seen === undefined) return before[role];
  const { replicas } = decision.pools[role];
  const wanted = Math.max(0, replicas - seen.ready);
  const since = seen.starting.map(({ age }) => decision.at - age).sort((a, b) => a - b);
  const now = Array.from({ length: Math.max(0, wanted - since.length) }, () => decision.at);
  return { replicas, since: [...since, ...now].slice(0, wanted) };
}
