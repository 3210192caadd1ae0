import type { ReplicaCounts } from "../../core/observation.ts";

/**
 * Replicas that became ready lately. Their first passes compile, fill caches and run small batches: a fit that takes them for what a
 * replica can do sizes the pool by its newcomers (a published planner's defect).
 */
export interface Warming {
  readonly ready: number | null;
  /** How many became ready in one run of growth, and when the last did. */
  readonly newcomers: number;
  readonly since: number;
}

export const noneWarming: Warming = { ready: null, newcomers: 0, since: 0 };

/** Seconds for which a new replica counts as warming up. */
const WARM_UP = 20;
/** Newcomers that are fewer than this share of the pool are diluted enough. */
const FEW = 0.1;

export function noteReady(w: Warming, now: ReplicaCounts | undefined, at: number): Warming {
  if (now === undefined) return w;
  const grown = w.ready === null ? 0 : Math.max(0, now.ready - w.ready);
  const still = at - w.since < WARM_UP ? w.newcomers : 0;
  return { ready: now.ready, newcomers: still + grown, since: grown > 0 ? at : w.since };
}

/** Whether the interval that ends at `at` shows mostly how newcomers behave. */
export const warmingUp = (w: Warming, at: number): boolean =>
  w.newcomers > FEW * Math.max(1, w.ready ?? 0) && at - w.since < WARM_UP && w.ready !== null;
