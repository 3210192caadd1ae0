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
  const phases = new Map(cluster.filter((replica) => replica.role === role).map(({ id, phase }) => [id, phase]));
  const known = latest.flatMap(({ report, age }) =>
    report.replicas
      // An engine that is still loading answers no scrape: it is in the report without figures.
      .filter((replica) => replica.phase !== "starting" && phases.has(replica.id))
      .map((replica) => ({ replica, age, ready: phases.get(replica.id) === "ready" })),
  );
  const fresh = known.filter(({ age }) => age <= maxAge);
  const ready = [...phases.values()].filter((phase) => phase === "ready").length;
  const sum = (of: (replica: PlantReplica) => number): number => fresh.reduce((total, { replica }) => total + of(replica), 0);
  return {
    sums:
      fresh.length === 0
        ? undefined
        : {
            waiting: sum((replica) => replica.waiting),
            running: sum((replica) => replica.running),
            kvTokens: sum((replica) => replica.kvTokens),
            waitingForKv: sum((replica) => replica.waitingForKv),
          },
    serving: fresh.length,
    evidence: {
      // Of the stale ones too: a controller should say how long it has been blind.
      age: known.reduce((oldest, one) => (one.ready ? Math.max(oldest, one.age) : oldest), 0),
      coverage: ready === 0 ? 0 : fresh.filter((one) => one.ready).length / ready,
    },
  };
}
