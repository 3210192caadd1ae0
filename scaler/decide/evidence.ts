import type { Observation, ReplicaCounts } from "../../core/observation.ts";
import type { PolicySpec } from "../policy/schema.ts";

export type EvidenceLevel = "full" | "partial" | "none";

export interface Assessed {
  readonly level: EvidenceLevel;
  /** What is missing, in words; empty when full. */
  readonly gaps: readonly string[];
}

/**
 * Whether the observation carries enough to act on. `none` holds everything; `partial` may scale up, never down.
 * A driver that states no evidence (plan, simulator) vouches for its figures.
 */
export function assess(o: Observation, spec: PolicySpec): Assessed {
  const missing: string[] = [];
  const thin: string[] = [];
  const { maxAge, minCoverage } = spec.behavior.evidence;
  for (const role of ["prefill", "decode"] as const) {
    const pool = o.pools[role];
    if (pool?.replicas === undefined) missing.push(`${role}: replica counts`);
    if (pool?.interval === undefined) missing.push(`${role}: no figures for this interval`);
    const e = pool?.evidence;
    if (e === undefined) continue;
    if (e.age > maxAge) missing.push(`${role}: newest report is ${e.age.toFixed(0)} s old, at most ${maxAge} s is accepted`);
    else if (e.coverage < minCoverage)
      missing.push(`${role}: only ${percent(e.coverage)} of ready replicas report, ${percent(minCoverage)} needed`);
    else if (e.coverage < 1) thin.push(`${role}: ${percent(e.coverage)} of ready replicas report`);
  }
  if (o.pools.prefill?.interval !== undefined) {
    const i = o.pools.prefill.interval;
    if (i.arrivals === undefined) missing.push("prefill: arrivals");
    else if (i.inputTokens === undefined && i.isl === undefined) missing.push("prefill: prompt tokens");
  }
  if (o.pools.decode?.interval !== undefined && o.pools.decode.interval.outputTokens === undefined) thin.push("decode: output tokens");
  if (missing.length > 0) return { level: "none", gaps: missing };
  return thin.length > 0 ? { level: "partial", gaps: thin } : { level: "full", gaps: [] };
}

/** Replicas that are paid for and will serve: ready and starting. */
export const paid = (r: ReplicaCounts | undefined): number => (r === undefined ? 0 : r.ready + r.starting.length);

const percent = (x: number): string => `${(x * 100).toFixed(0)} %`;
