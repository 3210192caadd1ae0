import type { TokensPerSecond } from "../../core/units.ts";
import type { Learned } from "../learn/learn.ts";
import type { ErrorBudget } from "../learn/error-budget.ts";
import type { Trim } from "../learn/trim.ts";
import type { Forecasts } from "./demand.ts";
import type { Moment } from "./settled.ts";
import type { Misses } from "./delivered.ts";
import type { Changes } from "./guards.ts";
import type { Plan } from "./predict.ts";
import type { Prior } from "./controller.types.ts";

/** Everything the controller remembers between ticks. Plain JSON: journalled, checkpointed, digested. */
export interface FulcrumState {
  readonly prior: Prior;
  /** Since when the fleet was seen without a long gap; null before the first sufficient evidence. A restart begins anew. */
  readonly seenSince: number | null;
  /** The last time the evidence sufficed. */
  readonly seenAt: number | null;
  readonly learned: Learned;
  readonly trim: { readonly prefill: Trim; readonly decode: Trim };
  /** What has missed of each objective lately. */
  readonly errorBudgets: { readonly prefill: ErrorBudget; readonly decode: ErrorBudget };
  /** Intervals in a row that delivered less than the objective. */
  readonly misses: Misses;
  readonly forecasts: Forecasts;
  /** Demand of the scale-down stabilization window, oldest first. */
  readonly window: readonly Moment[];
  readonly changes: Changes;
  readonly lastPaid: Plan | null;
  readonly unschedulableUntil: number;
  readonly insight: Insight | null;
  /** Whether the last tick's model expected the running replicas to meet each target. */
  readonly promised: { readonly prefill: boolean; readonly decode: boolean };
}

/** What the last tick believed, for metrics and the page. */
export interface Insight {
  readonly velocity: { readonly prefill: TokensPerSecond; readonly decode: TokensPerSecond };
  readonly utilization: { readonly prefill: number; readonly decode: number };
  readonly modelError: { readonly prefill: number; readonly decode: number };
  readonly leadTime: { readonly prefill: number; readonly decode: number };
  /** Seconds from a replica's being told to stop until it is gone. */
  readonly drainTime: { readonly prefill: number; readonly decode: number };
  readonly trim: { readonly prefill: number; readonly decode: number };
  /** Share of the error budget spent: of TTFT's by prefill, of ITL's by decode. */
  readonly budgetSpent: { readonly prefill: number; readonly decode: number };
  readonly demand: { readonly arrivals: number; readonly prefillTokens: TokensPerSecond; readonly decodeTokens: TokensPerSecond };
}
