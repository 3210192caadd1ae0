import type { Summary } from "./summary.ts";

/**
 * What one control tick sees of one policy's pools: the contract of `fulcrum plan` (JSON lines), of the
 * journal and of the simulator alike. Every field but `at` and `pools` may be missing, and missing is
 * absent, not zero. Durations are numbers of seconds, KV in tokens, transfers in bytes.
 */
export interface Observation {
  readonly type: "observation";
  /** Unix seconds, or seconds since the start of a trace: only differences matter. */
  readonly at: number;
  readonly pools: { readonly prefill?: PrefillObservation; readonly decode?: DecodeObservation };
  readonly transfer?: TransferObservation;
  /** GPUs the cluster can still give; absent = as many as the budget allows. */
  readonly unschedulable?: number;
}

export interface ReplicaCounts {
  readonly ready: number;
  readonly starting: readonly { readonly age: number }[];
  readonly draining: number;
}

/** How much of the pool the figures speak for. Absent = the driver vouches for them (plan, simulator). */
export interface Evidence {
  /** Age of the oldest report used, seconds. */
  readonly age: number;
  /** Replicas that reported freshly ÷ ready replicas. */
  readonly coverage: number;
}

interface PoolObservation {
  readonly replicas?: ReplicaCounts;
  readonly queue?: { readonly requests?: number; readonly tokens?: number };
  readonly evidence?: Evidence;
}

export interface PrefillObservation extends PoolObservation {
  readonly running?: { readonly requests?: number; readonly tokens?: number };
  /** What the engines run with; `fixed`: they take no other limit now, though the policy would set one live. */
  readonly limits?: { readonly maxBatchedTokens?: number; readonly fixed?: true };
  readonly interval?: {
    readonly seconds: number;
    readonly arrivals?: number;
    /** Prompt tokens of the arrivals, cached ones included. */
    readonly inputTokens?: number;
    /** Of those, tokens served from a prefix cache: they cost no prefill. */
    readonly cachedTokens?: number;
    /** Forward passes: tokens computed and busy seconds summed over replicas. */
    readonly batches?: { readonly count: number; readonly tokens: number; readonly seconds: number };
    readonly ttft?: Summary;
    readonly isl?: Pick<Summary, "mean" | "p50" | "p90" | "p99">;
  };
}

export interface DecodeObservation extends PoolObservation {
  readonly running?: { readonly requests?: number; readonly kvTokens?: number };
  readonly kvUsage?: number;
  /** KV tokens one replica can hold, where the engine says. */
  readonly kvCapacityTokens?: number;
  readonly limits?: { readonly maxNumSeqs?: number; readonly fixed?: true };
  readonly interval?: {
    readonly seconds: number;
    readonly finished?: number;
    readonly outputTokens?: number;
    /** Prompt tokens computed here, beside the steps (convertible decode); absent = none. */
    readonly promptTokens?: number;
    /** Decode steps: busy seconds summed over replicas, sequences and kvTokens summed over steps. */
    readonly steps?: { readonly count: number; readonly seconds: number; readonly sequences: number; readonly kvTokens: number };
    readonly itl?: Summary;
    readonly osl?: Pick<Summary, "mean" | "p50" | "p90" | "p99">;
  };
}

export interface TransferObservation {
  readonly seconds: number;
  readonly transfers?: number;
  readonly bytes?: number;
  readonly busySeconds?: number;
  readonly failures?: number;
  readonly backlog?: number;
}
