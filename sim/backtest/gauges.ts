import type { Evidence } from "../../core/observation.ts";
import type { PlantReplica, PlantRole } from "../plant/plant.types.ts";
import type { Latest } from "./inbox.ts";

/** What the replicas of one pool last said, as far as it is fresh. */
export interface PoolGauges {
  /** Sums over fresh serving replicas, draining ones included; undefined when none is fresh. */
  readonly sums:
    | { readonly waiting: number; readonly running: number; readonly kvTokens: number; readonly waitingForKv: number }
    | undefined;
  /** How many replicas the sums speak for. */
  readonly serving: number;
  readonly evidence: Evidence;
}

export interface Gauges {
  readonly prefill: PoolGauges;
  readonly decode: PoolGauges;
  /** What waits at the router, where its report is fresh. */
  readonly unrouted: { readonly prefill: number; readonly decode: number } | undefined;
}

/** The rules of scaler/intake/gauges.ts: the cluster says who is there, reports no older than `maxAge` say how they are. */
export function readGauges(latest: readonly Latest[], cluster: readonly PlantReplica[], maxAge: number): Gauges {
  const fresh = latest.filter(({ age }) => age <= maxAge);
  return {
    prefill: poolGauges("prefill", latest, cluster, maxAge),
    decode: poolGauges("decode", latest, cluster, maxAge),
    unrouted: fresh.find(({ report }) => report.unrouted !== undefined)?.report.unrouted,
  };
}

function poolGauges(role: PlantRole, latest: readonly Latest[], cluster: readonly PlantReplica[], maxAge: number): PoolGauges {
  const phases = new Map<number, PlantReplica["phase"]>();
  let ready = 0;
  for (const replica of cluster) {
    if (replica.role !== role) continue;
    phases.set(replica.id, replica.phase);
    if (replica.phase === "ready") ready += 1;
  }
  const sums = { waiting: 0, running: 0, kvTokens: 0, waitingForKv: 0 };
  let serving = 0;
  let freshReady = 0;
  let oldest = 0;
  for (const { report, age } of latest) {
    for (const replica of report.replicas) {
      const phase = phases.get(replica.id);
      // An engine that is still loading answers no scrape: it is in the report without figures.
      if (phase === undefined || replica.phase === "starting") continue;
      // Of the stale ones too: a controller should say how long it has been blind.
      if (phase === "ready") oldest = Math.max(oldest, age);
      if (age > maxAge) continue;
      serving += 1;
      if (phase === "ready") freshReady += 1;
      sums.waiting += replica.waiting;
      sums.running += replica.running;
      sums.kvTokens += replica.kvTokens;
      sums.waitingForKv += replica.waitingForKv;
    }
  }
  return {
    sums: serving === 0 ? undefined : sums,
    serving,
    evidence: { age: oldest, coverage: ready === 0 ? 0 : freshReady / ready },
  };
}
