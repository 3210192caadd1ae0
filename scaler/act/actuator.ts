import type { Decision } from "../../core/decision.ts";
import type { EngineKind } from "../../core/pool.ts";
import type { Result } from "../../core/result.ts";
import type { Policy } from "../policy/schema.ts";

/** What the cluster says about a policy's pools, apart from what they measure. */
export interface ClusterFacts {
  readonly prefill: PoolFacts;
  readonly decode: PoolFacts;
  readonly gpus: { readonly total: number; readonly used: number } | undefined;
  /** What has become of growth since the last look. */
  readonly progress?: readonly Progress[];
  /** What an operator should mend, in sentences. */
  readonly warnings?: readonly string[];
}

/** New replicas, from the write until they are there or not. */
export interface Progress {
  readonly role: "prefill" | "decode";
  readonly pool: string;
  /** The count they were to bring the pool to. */
  readonly to: number;
  /** unschedulable, failed and timed-out: the plan keeps to what runs; superseded: fewer were asked for since. */
  readonly outcome: "starting" | "ready" | "unschedulable" | "failed" | "timed-out" | "superseded";
  /** Since they were asked for. */
  readonly seconds: number;
  /** What their containers wait for, the commonest first. */
  readonly troubles: readonly string[];
}

/** What is known of pods from elsewhere than the cluster. */
export type PodHealths = ReadonlyMap<
  string,
  { readonly faulty: boolean; readonly throttled: boolean; readonly running: number | undefined }
>;

export interface PoolFacts {
  readonly name: string;
  readonly model: string | undefined;
  readonly engine: EngineKind | undefined;
  readonly desired: number;
  /** Replicas asked for that found no GPU. */
  readonly unschedulable: number;
  /** What the engines run with, where it is known; `fixed`: the policy would set limits live, and they do not take them. */
  readonly limits: { readonly maxBatchedTokens?: number; readonly maxNumSeqs?: number; readonly fixed?: true };
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
  /**
   * `seen` is what the decision was based on: when the cluster has moved on since, nothing is written. `health` says which replicas
   * should go first, where the cluster lets that be chosen.
   */
  apply(policy: Policy, decision: Decision, seen: ClusterFacts, signal: AbortSignal, health?: PodHealths): Promise<ActResult>;
}
