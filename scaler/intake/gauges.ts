import type { GaugeName } from "../../core/engines/canonical.ts";
import type { Evidence, ReplicaCounts } from "../../core/observation.ts";
import { absent, fresh as freshOf, signal, type Signal } from "../../core/signal.ts";
import { seconds } from "../../core/units.ts";
import type { ReplicaReport } from "../../wire/messages.ts";
import type { PoolFacts } from "../act/actuator.ts";
import type { latestPools } from "./fleet-view.ts";

/** What the replicas of one pool say now, and for how much of the pool that speaks. */
export interface Gauges {
  /** Sum over fresh replicas, draining ones included: their work is still work. Undefined when none has it. */
  sum(name: GaugeName): number | undefined;
  /** Mean over fresh ready replicas. */
  mean(name: GaugeName): number | undefined;
  readonly evidence: Evidence;
  readonly complete: boolean;
}

interface Fresh {
  readonly replica: ReplicaReport;
  readonly age: number;
}

/**
 * Fresh is: reported, scraped, and not older than `maxAge`. When the cluster's own list is known, replicas that are not on it
 * (crashed, replaced) no longer count, and coverage is reckoned against it; else against what was ever reported.
 */
export function gaugesOf(latest: ReturnType<typeof latestPools>, facts: PoolFacts | undefined, maxAge: number): Gauges {
  const phases = new Map(facts?.replicas.map((r) => [r.pod, r.phase]));
  const known = latest.flatMap(({ age, pool }) =>
    pool.replicas
      .filter((replica) => facts === undefined || phases.has(replica.pod))
      .map((replica) => ({ replica, sample: sampled(replica, age, maxAge) })),
  );
  const phaseOf = (r: ReplicaReport): string => phases.get(r.pod) ?? r.phase;
  const fresh = newestPerPod(known.map(({ sample }) => freshOf(sample)).filter((sample) => sample !== undefined));
  const ready = fresh.filter((f) => phaseOf(f.replica) === "ready");
  const serving = fresh.filter((f) => phaseOf(f.replica) === "ready" || phaseOf(f.replica) === "draining");
  const expected =
    facts === undefined
      ? new Set(known.filter((f) => phaseOf(f.replica) === "ready").map((f) => f.replica.pod)).size
      : facts.replicas.filter((r) => r.phase === "ready").length;
  // No ready replica: nothing speaks for the pool, and nothing may be concluded from its silence.
  const coverage = expected === 0 ? 0 : Math.min(1, ready.length / expected);
  const values = (from: readonly Fresh[], name: GaugeName): readonly number[] =>
    from.map((f) => f.replica.gauges[name]).filter((x) => x !== undefined);
  return {
    sum: (name) => total(values(serving, name)),
    mean: (name) => mean(values(ready, name)),
    evidence: { age: ready.reduce((oldest, f) => Math.max(oldest, f.age), 0), coverage },
    complete: expected > 0 && ready.length === expected,
  };
}

/** What a replica's gauges are worth now: absent when it was never scraped, stale past `maxAge`. `age` is the report's own. */
function sampled(replica: ReplicaReport, age: number, maxAge: number): Signal<Fresh> {
  if (replica.sampleAge === undefined) return absent;
  const total = age + replica.sampleAge;
  return signal({ replica, age: total }, seconds(-total), seconds(0), seconds(maxAge));
}

/** A pod that moved between nodes may stand in two reports; the fresher one speaks. */
function newestPerPod(fresh: readonly Fresh[]): readonly Fresh[] {
  const byPod = new Map<string, Fresh>();
  for (const f of fresh) {
    const other = byPod.get(f.replica.pod);
    if (other === undefined || f.age < other.age) byPod.set(f.replica.pod, f);
  }
  return [...byPod.values()];
}

export function countReplicas(facts: PoolFacts): ReplicaCounts {
  return {
    ready: facts.replicas.filter((r) => r.phase === "ready").length,
    starting: facts.replicas.filter((r) => r.phase === "starting").map(({ age }) => ({ age })),
    draining: facts.replicas.filter((r) => r.phase === "draining").length,
  };
}

const total = (xs: readonly number[]): number | undefined => (xs.length === 0 ? undefined : xs.reduce((a, b) => a + b, 0));
const mean = (xs: readonly number[]): number | undefined => {
  const sum = total(xs);
  return sum === undefined ? undefined : sum / xs.length;
};
