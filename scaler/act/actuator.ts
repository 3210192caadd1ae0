import type { Decision } from "../../core/decision.ts";
import type { EngineKind } from "../../core/pool.ts";
import type { Result } from "../../core/result.ts";
import type { Policy } from "../policy/schema.ts";

/** What the cluster says about a policy's pools, apart from what they measure. */
export interface ClusterFacts {
  readonly prefill: PoolFacts;
  readonly decode: PoolFacts;
  readonly gpus: { readonly total: number; readonly used: number } | undefined;
}

export interface PoolFacts {
  readonly name: string;
  readonly model: string | undefined;
  readonly engine: EngineKind | undefined;
  readonly desired: number;
  /** Replicas asked for that found no GPU. */
  readonly unschedulable: number;
  readonly limits: { readonly maxBatchedTokens?: number; readonly maxNumSeqs?: number };
  readonly replicas: readonly ReplicaFacts[];
}

export interface ReplicaFacts {
  readonly pod: string;
  readonly phase: "starting" | "ready" | "draining";
  /** Seconds since it was created. */
  readonly age: number;
}

/** One change that was made. */
export interface Action {
  readonly role: "prefill" | "decode";
  readonly pool: string;
  readonly kind: "replicas" | "limit";
  readonly from: number | null;
  readonly to: number;
}

export interface ActResult {
  readonly outcome: "applied" | "unchanged" | "observe" | "held" | "failed";
  readonly actions: readonly Action[];
  /** The pool whose change failed, when it is known. */
  readonly failedRole?: "prefill" | "decode";
  readonly error?: string;
}

/** The port through which the loop sees and changes a cluster. Errors are values: an unreachable cluster is an expected outcome. */
export interface Actuator {
  facts(policy: Policy, signal: AbortSignal): Promise<Result<ClusterFacts, string>>;
  /** `seen` is what the decision was based on: when the cluster has moved on since, nothing is written. */
  apply(policy: Policy, decision: Decision, seen: ClusterFacts, signal: AbortSignal): Promise<ActResult>;
}
