import { poolKey } from "../../core/pool.ts";
import type { NodeReport, PoolReport } from "../../wire/messages.ts";
import { addAmounts, amountsOf, type Amounts } from "./amounts.ts";

/**
 * Reports waiting for a policy's next tick, per node in order of arrival. A value, never mutated; every policy has its own,
 * because every policy has its own interval.
 */
export interface IntervalLog {
  readonly since: number;
  readonly reports: ReadonlyMap<string, readonly NodeReport[]>;
  /** Reports that were too old to speak for the interval: an agent's backlog after an outage. */
  readonly late: number;
}

/** One pool's control interval. */
export interface PoolInterval extends Amounts {
  /** Seconds the deltas cover: the mean over the nodes that reported the whole interval. */
  readonly seconds: number;
  /** Mean resident KV tokens of one ready replica over the interval's reports, where the engine says. */
  readonly kvTokensPerReplica: number | undefined;
}

export interface Interval {
  readonly pools: ReadonlyMap<string, PoolInterval>;
  readonly elapsed: number;
  readonly late: number;
}

/** At 1 Hz two minutes; only the newest are of use to a tick. */
const MAX_REPORTS_PER_NODE = 120;

export const startInterval = (at: number): IntervalLog => ({ since: at, reports: new Map(), late: 0 });

export function remember(log: IntervalLog, report: NodeReport): IntervalLog {
  const before = log.reports.get(report.node) ?? [];
  const overflow = before.length >= MAX_REPORTS_PER_NODE;
  const kept = overflow ? before.slice(1) : before;
  return { ...log, reports: new Map(log.reports).set(report.node, [...kept, report]), late: log.late + (overflow ? 1 : 0) };
}

/**
 * Closes the interval at `now`. An agent that was cut off sends its backlog at once: folded whole, a minute of counters would
 * look like one tick's. So each node speaks with its newest reports that fit the elapsed time (at most three intervals), and
 * the rest only count in totals. Undefined, and nothing is closed, while no report came.
 */
export function closeInterval(
  log: IntervalLog,
  now: number,
  length: number,
  select: (pool: PoolReport) => boolean,
): { readonly interval: Interval; readonly next: IntervalLog } | undefined {
  const elapsed = Math.min(Math.max(now - log.since, 0), 3 * length);
  const parts = new Map<string, Part[]>();
  let late = log.late;
  for (const [, reports] of [...log.reports].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const used = newest(reports, elapsed);
    late += reports.length - used.length;
    for (const [key, part] of partsOf(used, select)) parts.set(key, [...(parts.get(key) ?? []), part]);
  }
  if (parts.size === 0) return undefined;
  const pools = new Map([...parts].map(([key, nodes]) => [key, pool(nodes)]));
  return { interval: { pools, elapsed, late }, next: startInterval(now) };
}

interface Part {
  readonly amounts: Amounts;
  readonly seconds: number;
  readonly kvTokens: readonly number[];
}

/** The newest reports that cover the elapsed time and half as much again (reports do not end where ticks do). */
function newest(reports: readonly NodeReport[], elapsed: number): readonly NodeReport[] {
  let covered = 0;
  let from = reports.length;
  while (from > 0) {
    const more = reports[from - 1]?.interval ?? 0;
    if (from < reports.length && covered + more > elapsed * 1.5 + more * 0.5) break;
    covered += more;
    from--;
  }
  return reports.slice(from);
}

function partsOf(reports: readonly NodeReport[], select: (pool: PoolReport) => boolean): Map<string, Part> {
  const parts = new Map<string, Part>();
  for (const report of reports) {
    for (const pool of report.pools.filter(select)) {
      const key = poolKey(pool);
      const before = parts.get(key);
      const amounts = amountsOf(pool);
      parts.set(key, {
        amounts: before === undefined ? amounts : addAmounts(before.amounts, amounts),
        seconds: (before?.seconds ?? 0) + report.interval,
        kvTokens: [...(before?.kvTokens ?? []), ...kvTokens(pool)],
      });
    }
  }
  return parts;
}

/** Nodes pooled. A node that joined or left midway adds its counts, but does not shorten the interval of the others. */
function pool(nodes: readonly Part[]): PoolInterval {
  const longest = Math.max(...nodes.map((n) => n.seconds));
  const whole = nodes.filter((n) => n.seconds >= longest / 2);
  const kv = nodes.flatMap((n) => n.kvTokens);
  return {
    ...nodes.map((n) => n.amounts).reduce(addAmounts),
    seconds: whole.reduce((sum, n) => sum + n.seconds, 0) / whole.length,
    kvTokensPerReplica: kv.length === 0 ? undefined : kv.reduce((sum, x) => sum + x, 0) / kv.length,
  };
}

function kvTokens(pool: PoolReport): readonly number[] {
  return pool.replicas
    .filter((replica) => replica.phase === "ready" && replica.sampleAge !== undefined)
    .map(({ gauges }) => gauges.kvTokens ?? product(gauges.kvUsage, gauges.kvCapacityTokens))
    .filter((x) => x !== undefined);
}

const product = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a * b;
