import type { EngineKind, ReplicaPhase, Role } from "./pool.ts";

/**
 * The agent's static targets file (JSON): what to read on this node and which pool it belongs to.
 * Rewritten atomically by whoever owns it; the agent watches its directory.
 */
export interface TargetsFile {
  readonly node: string;
  readonly engines: readonly EngineTarget[];
  /** dcgm-exporter pages of this node. */
  readonly gpus: readonly { readonly url: string }[];
}

export interface EngineTarget {
  readonly url: string;
  readonly namespace: string;
  readonly pod: string;
  readonly pool: string;
  readonly role: Role;
  readonly model: string;
  readonly engine: EngineKind;
  readonly phase: Exclude<ReplicaPhase, "unreachable">;
  /** Unix seconds when the replica was created. */
  readonly startedAt: number;
  /** The service.instance.id its spans carry, to attribute traces; the pod name by default. */
  readonly instance?: string;
  /** The pod's UID in Kubernetes, by which a GPU process is known to be this replica's. */
  readonly uid?: string;
}
