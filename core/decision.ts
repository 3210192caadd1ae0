/** What the scaler wants, and why. The `fulcrum plan` answer, a journal entry and `/api/decisions` share it. */
export interface Decision {
  readonly type: "decision";
  readonly at: number;
  readonly pools: {
    readonly prefill: { readonly replicas: number; readonly limits?: { readonly maxBatchedTokens: number } };
    readonly decode: { readonly replicas: number; readonly limits?: { readonly maxNumSeqs: number } };
  };
  /** Replicas whose GPUs change role (a conversion under the budget). */
  readonly moves: readonly { readonly from: "prefill" | "decode"; readonly to: "prefill" | "decode"; readonly replicas: number }[];
  /** Predicted latencies at the objectives' quantiles for the chosen plan; absent before anything was learned. */
  readonly predicted: { readonly ttft?: number; readonly itl?: number };
  readonly reasons: readonly Reason[];
  /** The plans that were weighed around the chosen one, cheapest first (bounded). */
  readonly candidates?: readonly Candidate[];
  /** True when the pools are left as they are because of missing evidence, pause or a guardrail. */
  readonly hold: boolean;
}

export interface Reason {
  readonly code: ReasonCode;
  readonly text: string;
  /** The figures behind the sentence, units in the key names. */
  readonly numbers?: Readonly<Record<string, number>>;
}

export interface Candidate {
  readonly prefill: number;
  readonly decode: number;
  readonly gpus: number;
  readonly ttft: number;
  readonly itl: number;
  readonly meets: boolean;
}

/** Closed set: each is a metric label value and a line in docs/reasons.md. */
export const REASON_CODES = [
  // demand and capacity
  "prefill-short",
  "decode-short",
  "prefill-spare",
  "decode-spare",
  "within-range",
  "convert",
  "saturated",
  "transfer-bound",
  "local-prefill",
  "model-mismatch",
  "batch-limit",
  "scheduled-floor",
  // evidence
  "insufficient-evidence",
  "partial-evidence",
  // guardrails, in their order
  "objective-missed",
  "panic-start",
  "min-replicas",
  "max-replicas",
  "budget",
  "step-limit",
  "cooldown",
  "stabilization",
  "dead-band",
  "ratio-bounds",
  "unschedulable",
  "paused",
  "observe",
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];
