import { counterDelta, subtractBuckets } from "../../core/distributions/delta.ts";
import { mergeDistributions } from "../../core/distributions/merge.ts";
import type { Distribution } from "../../core/distribution.ts";
import { COUNTERS, type CounterName, DISTRIBUTIONS, type DistributionName } from "../../core/engines/canonical.ts";
import type { EngineSample } from "../../core/engines/page.ts";

type Counters = Partial<Record<CounterName, number>>;
type Distributions = Partial<Record<DistributionName, Distribution>>;

/** Cumulative figures a delta is taken against. */
export type Cumulative = Pick<EngineSample, "counters" | "distributions">;

/** What happened since the last report. A name is present exactly when some scrape in between exposed it. */
export interface Pending {
  readonly counters: Readonly<Counters>;
  readonly distributions: Readonly<Distributions>;
  readonly resets: number;
}

export const nothingPending: Pending = { counters: {}, distributions: {}, resets: 0 };
export const zero: Cumulative = { counters: {}, distributions: {} };

/**
 * Adds what happened between two scrapes. A counter that went back belongs to a restarted engine and counts from zero,
 * each series by itself: one series that vanishes and returns must not make all the others jump. One restart counts as
 * one reset, however many series show it. A series missing now adds nothing, one that was missing before started at zero.
 */
export function advance(pending: Pending, before: Cumulative, now: Cumulative): Pending {
  const counters: Counters = { ...pending.counters };
  const distributions: Distributions = { ...pending.distributions };
  let reset = false;
  for (const name of COUNTERS) {
    const value = now.counters[name];
    if (value === undefined) continue;
    const step = counterDelta(value, before.counters[name] ?? 0);
    counters[name] = (counters[name] ?? 0) + step.delta;
    reset ||= step.reset;
  }
  for (const name of DISTRIBUTIONS) {
    const value = now.distributions[name];
    if (value === undefined) continue;
    const earlier = before.distributions[name];
    const step = earlier === undefined ? { delta: value, reset: false } : subtractBuckets(value, earlier);
    const sofar = distributions[name];
    distributions[name] = sofar === undefined ? step.delta : mergeDistributions(sofar, step.delta);
    reset ||= step.reset;
  }
  return { counters, distributions, resets: pending.resets + (reset ? 1 : 0) };
}

/** The next baseline: what is shown now, and for a series missing now what it showed last. */
export const baseline = (before: Cumulative, now: Cumulative): Cumulative => ({
  counters: { ...before.counters, ...now.counters },
  distributions: { ...before.distributions, ...now.distributions },
});

/** Sums over replicas; a name none of them has stays missing. */
export function addPending(a: Pending, b: Pending): Pending {
  const counters: Counters = { ...a.counters };
  for (const name of COUNTERS) {
    const value = b.counters[name];
    if (value !== undefined) counters[name] = (counters[name] ?? 0) + value;
  }
  return { counters, distributions: mergeAll(a.distributions, b.distributions), resets: a.resets + b.resets };
}

function mergeAll(a: Readonly<Distributions>, b: Readonly<Distributions>): Distributions {
  const merged: Distributions = { ...a };
  for (const name of DISTRIBUTIONS) {
    const value = b[name];
    if (value === undefined) continue;
    const other = merged[name];
    merged[name] = other === undefined ? value : mergeDistributions(other, value);
  }
  return merged;
}
