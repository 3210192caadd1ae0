/**
 * How much of an objective's error budget is spent: the share of requests that may miss is 1 − quantile, and what has missed of late is
 * held against it. What is left of it is there to be saved with: a pool that never misses pays for caution that nobody asked for.
 */
export interface ErrorBudget {
  /** Requests seen and missed, both decaying with TAU. */
  readonly seen: number;
  readonly missed: number;
  /** How much of a memory's length has been seen, 0…1. */
  readonly weight: number;
}

export const unknownBudget: ErrorBudget = { seen: 0, missed: 0, weight: 0 };

const TAU = 7200;
/** Past the 0.99 quantile nothing is known of an interval whose misses were not counted: half of the rest is taken to have missed. */
const UNKNOWN_TAIL = 0.005;

/** Counts one interval of `span` seconds. */
export function spend(
  b: ErrorBudget,
  i: { readonly span: number; readonly count: number; readonly attained: number; readonly counted: boolean },
): ErrorBudget {
  const keep = Math.exp(-i.span / TAU);
  const attained = i.counted ? i.attained : Math.min(i.attained, 1 - UNKNOWN_TAIL);
  return { seen: b.seen * keep + i.count, missed: b.missed * keep + i.count * (1 - attained), weight: 1 - (1 - b.weight) * keep };
}

/** Misses as a share of those allowed: 1 is all of the budget. What has not been seen yet counts as spent. */
export function spent(b: ErrorBudget, quantile: number): number {
  if (!(b.seen > 0)) return 1;
  const known = b.missed / b.seen / Math.max(1 - quantile, 1e-6);
  return b.weight * known + (1 - b.weight);
}

/** How far each pool's caution is eased; 0 is full caution. */
export interface Ease {
  readonly prefill: number;
  readonly decode: number;
}

/** From 0 (all of the budget is spent: full caution) to 1 (half of it is left: none beyond the policy's headroom). */
export const ease = (spentShare: number): number => Math.min(1, Math.max(0, (1 - spentShare) / 0.5));
