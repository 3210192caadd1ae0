import { mergeDistributions } from "../../core/distributions/merge.ts";
import type { Distribution } from "../../core/distribution.ts";
import type { CounterName, DistributionName } from "../../core/engines/canonical.ts";
import type { PoolId } from "../../core/pool.ts";
import type { PoolReport } from "../../wire/messages.ts";

/** What happened in a pool over some reports: everything that adds. A name that no report carried is missing. */
export interface Amounts {
  readonly id: PoolId;
  readonly counters: Partial<Record<CounterName, number>>;
  readonly distributions: Partial<Record<DistributionName, Distribution>>;
  readonly spans: Partial<Record<DistributionName, Distribution>>;
  readonly resets: number;
}

export function amountsOf(report: PoolReport): Amounts {
  const { namespace, pool, role, model, engine, counters, distributions, spans, resets } = report;
  return { id: { namespace, pool, role, model, engine }, counters, distributions, spans, resets };
}

/** Associative and commutative: exact on counts, floating point on sums of seconds. */
export function addAmounts(a: Amounts, b: Amounts): Amounts {
  return {
    id: b.id,
    counters: mergeWith(a.counters, b.counters, (x, y) => x + y),
    distributions: mergeWith(a.distributions, b.distributions, mergeDistributions),
    spans: mergeWith(a.spans, b.spans, mergeDistributions),
    resets: a.resets + b.resets,
  };
}

function mergeWith<K extends string, V>(a: Partial<Record<K, V>>, b: Partial<Record<K, V>>, add: (x: V, y: V) => V): Partial<Record<K, V>> {
  const merged: Partial<Record<K, V>> = { ...a };
  for (const key of Object.keys(b) as K[]) {
    const before: V | undefined = merged[key];
    const more: V | undefined = b[key];
    if (more !== undefined) merged[key] = before === undefined ? more : add(before, more);
  }
  return merged;
}

/** Adds one pool's amounts into a map of pools; a new map, the old one stays as it was. */
export function addInto(map: ReadonlyMap<string, Amounts>, key: string, more: Amounts): Map<string, Amounts> {
  const before = map.get(key);
  return new Map(map).set(key, before === undefined ? more : addAmounts(before, more));
}
