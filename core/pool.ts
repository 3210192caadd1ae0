/** A pool is a set of replicas of one role serving one model. */
export type Role = "prefill" | "decode" | "aggregated" | "frontend";

export type EngineKind = "vllm" | "sglang" | "dynamo-frontend";

export interface PoolId {
  readonly namespace: string;
  readonly pool: string;
  readonly role: Role;
  readonly model: string;
  readonly engine: EngineKind;
}

/** A map key for a pool: names cannot contain "/", so the joint is unambiguous. */
export const poolKey = (id: Pick<PoolId, "namespace" | "pool">): string => `${id.namespace}/${id.pool}`;

export type ReplicaPhase = "starting" | "ready" | "draining" | "unreachable";
