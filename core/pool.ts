/** A pool is a set of replicas of one role serving one model. */
export type Role = "prefill" | "decode" | "aggregated" | "frontend";

/** Whose metrics a page speaks; each has its table in core/engines. The last three serve nothing themselves: they stand before the engines. */
export const ENGINE_KINDS = ["vllm", "sglang", "trtllm", "dynamo-component", "dynamo-frontend", "dynamo-router", "llm-d-epp"] as const;
export type EngineKind = (typeof ENGINE_KINDS)[number];

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
