import type { EngineKind, ReplicaPhase, Role } from "./pool.ts";

/**
 * HTTP control API of the simulated fleet: what a Kubernetes scale subresource and pod list would say.
 *   GET  /v1/pools                      → FleetPools
 *   PUT  /v1/pools/NAME/scale           {"replicas":N} → FleetPool
 *   PUT  /v1/pools/NAME/limits          {"maxBatchedTokens":N} | {"maxNumSeqs":N} → FleetPool
 *   POST /v1/replicas/ID/crash          end the engine process at once, as kill -9 would
 *   GET  /v1/truth                      → ground truth of everything served so far
 *   GET  /v1/status                     → FleetStatus
 */
export interface FleetPools {
  readonly at: number;
  readonly gpus: { readonly total: number; readonly used: number };
  readonly pools: readonly FleetPool[];
}

export interface FleetPool {
  readonly name: string;
  readonly namespace: string;
  readonly role: Role;
  readonly model: string;
  readonly engine: EngineKind;
  readonly desired: number;
  /** Replicas that were asked for but have no GPU to run on. */
  readonly unschedulable: number;
  readonly limits: { readonly maxBatchedTokens?: number; readonly maxNumSeqs?: number };
  readonly replicas: readonly FleetReplica[];
}

export interface FleetReplica {
  readonly id: number;
  readonly pod: string;
  readonly node: string;
  readonly phase: Exclude<ReplicaPhase, "unreachable">;
  readonly startedAt: number;
  readonly pid: number | null;
  readonly url: string;
  readonly gpus: readonly number[];
}

export interface FleetStatus {
  readonly at: number;
  readonly elapsed: number;
  readonly duration: number;
  readonly submitted: number;
  readonly completed: number;
  readonly inFlight: number;
  readonly done: boolean;
}
