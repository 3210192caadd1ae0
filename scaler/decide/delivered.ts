import { attainedShare } from "../../core/attainment.ts";
import type { Observation } from "../../core/observation.ts";
import type { Summary } from "../../core/summary.ts";
import type { PolicySpec } from "../policy/schema.ts";
import type { Targets } from "./search.ts";

/** Intervals in a row that delivered less than an objective, by the pool that answers for it. */
export interface Misses {
  readonly prefill: number;
  readonly decode: number;
}

export const noMisses: Misses = { prefill: 0, decode: 0 };

/** One bad interval is noise at a 95 % objective; the second in a row is not. */
const IN_A_ROW = 2;
const MOST = 1000;

/**
 * Prefill answers for TTFT; decode for ITL, and for TTFT as well while requests queue for it. `targets` are those that replicas can
 * meet, so that nobody is held to what no plan could deliver. A latency that is not told ends no row; measured silence does.
 */
export function countMisses(m: Misses, o: Observation, targets: Targets, spec: PolicySpec): Misses {
  const { prefill, decode } = o.pools;
  const { objectives } = spec;
  const missed = (seen: Summary | undefined, target: number, quantile: number | undefined): boolean | undefined => {
    const share = seen === undefined || quantile === undefined ? undefined : attainedShare(seen, target);
    return share === undefined || quantile === undefined ? undefined : share < quantile;
  };
  const row = (count: number, bad: boolean | undefined, silent: boolean): number => {
    if (bad === undefined) return silent ? 0 : count;
    return bad ? Math.min(MOST, count + 1) : 0;
  };
  const late = missed(prefill?.interval?.ttft, targets.ttft, objectives.ttft?.quantile);
  const slow = missed(decode?.interval?.itl, targets.itl, objectives.itl?.quantile);
  const queued = decode?.queue?.requests ?? 0;
  const both = slow === undefined && late === undefined ? undefined : slow === true || (late === true && queued > 0);
  const silent = prefill?.interval?.arrivals === 0 && (prefill.queue?.requests ?? 0) === 0;
  const still = decode?.interval?.outputTokens === 0 && queued === 0;
  return { prefill: row(m.prefill, late, silent), decode: row(m.decode, both, still) };
}

/** Whether each pool has missed for long enough to say that it is not spare. */
export const missing = (m: Misses): { readonly prefill: boolean; readonly decode: boolean } => ({
  prefill: m.prefill >= IN_A_ROW,
  decode: m.decode >= IN_A_ROW,
});
