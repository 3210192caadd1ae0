import type { Distribution, SketchData } from "../../core/distribution.ts";
import { poolKey } from "../../core/pool.ts";
import type { EngineTarget } from "../../core/targets.ts";
import type { PoolReport } from "../../wire/messages.ts";
import { type Pending, addPending, nothingPending } from "./pending.ts";
import { type ReplicaState, replicaReport } from "./replica.ts";
import type { PoolSpans } from "./spans.ts";

/** Wire arrays are mutable by type; the core's are not. */
type WireDistributions = PoolReport["distributions"];

/**
 * One entry per pool on this node, ordered by name. `departed` are replicas no longer listed whose last deltas are still
 * to be told: they count in the sums and not among the replicas.
 */
export function poolReports(
  replicas: readonly ReplicaState[],
  departed: readonly ReplicaState[],
  spans: ReadonlyMap<string, PoolSpans>,
  now: number,
): PoolReport[] {
  const pools = new Map<string, { target: EngineTarget; listed: ReplicaState[]; pending: Pending }>();
  const entry = (state: ReplicaState) => {
    const key = poolKey(state.target);
    const found = pools.get(key) ?? { target: state.target, listed: [], pending: nothingPending };
    found.pending = addPending(found.pending, state.pending);
    pools.set(key, found);
    return found;
  };
  for (const state of replicas) entry(state).listed.push(state);
  for (const state of departed) entry(state);
  return [...pools.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { target, listed, pending }]) => ({
      namespace: target.namespace,
      pool: target.pool,
      role: target.role,
      model: target.model,
      engine: target.engine,
      replicas: listed.map((state) => replicaReport(state, now)),
      counters: { ...pending.counters },
      distributions: toWire(pending.distributions),
      spans: toWire(spans.get(key) ?? {}),
      resets: pending.resets,
    }));
}

function toWire(distributions: Readonly<Partial<Record<keyof WireDistributions, Distribution>>>): WireDistributions {
  const out: WireDistributions = {};
  for (const [name, d] of Object.entries(distributions) as [keyof WireDistributions, Distribution][]) {
    out[name] = d.kind === "buckets" ? { ...d, le: [...d.le], counts: [...d.counts] } : { kind: "sketch", sketch: wireSketch(d.sketch) };
  }
  return out;
}

const wireSketch = (sketch: SketchData) => ({ ...sketch, counts: [...sketch.counts] });
