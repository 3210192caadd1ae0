import type { Decision } from "../core/decision.ts";
import type { NoticeCode } from "../core/kv-path.ts";
import type { ModeOverride } from "../core/override.ts";

/**
 * Scaler → browser. On connect one `snapshot`, then one `frame` per control tick (or second), and a `decision`
 * for each. The browser trusts its own scaler: types only, so the page stays small.
 */
export type PageMessage =
  | {
      readonly type: "snapshot";
      readonly state: PageState;
      readonly history: readonly PageFrame[];
      readonly decisions: readonly PageDecision[];
    }
  | { readonly type: "frame"; readonly frame: PageFrame; readonly state: PageState }
  | { readonly type: "decision"; readonly decision: PageDecision }
  /** Who leads has changed. */
  | { readonly type: "state"; readonly state: PageState };

/** `/api/state`: what is known now. */
export interface PageState {
  readonly at: number;
  readonly version: string;
  readonly policies: readonly PagePolicy[];
  readonly agents: readonly { readonly node: string; readonly connected: boolean; readonly age: number; readonly reports: number }[];
  /** Who may act; null where nobody has to agree. */
  readonly leader: PageLeader | null;
  /** Policy files and objects that are not in use as they stand. */
  readonly problems: readonly PolicyProblemNote[];
  /** KV transfers between nodes, one matrix per policy. */
  readonly links: readonly PageLinks[];
  /** What the KV path suffers from now. */
  readonly notices: readonly PageNotice[];
}

export interface PageLinks {
  readonly policy: string;
  /** Seconds that the figures cover: the last minute. */
  readonly seconds: number;
  /** The busiest, slow ones first. */
  readonly links: readonly PageLink[];
  /** Links that are not listed. */
  readonly others: number;
}

/** One link; null = absent, never zero. An end is null where only the other one is known. */
export interface PageLink {
  readonly source: string | null;
  readonly target: string | null;
  /** Stitched requests whose transfer was timed. */
  readonly transfers: number;
  /** As the engines count them. */
  readonly failures: number;
  readonly meanSeconds: number | null;
  /** KV bytes of those requests over wall time. */
  readonly bytesPerSecond: number | null;
  /** Their bytes over the time that the transfers took. */
  readonly speed: number | null;
  /** Speed of the median link ÷ this one's; null on too few transfers or links, and within a node. */
  readonly slowness: number | null;
  readonly slow: boolean;
}

export interface PageNotice {
  readonly code: NoticeCode;
  readonly subject: string;
  readonly text: string;
  /** Unix seconds. */
  readonly since: number;
}

export interface PageLeader {
  /** Of the scaler that answers. */
  readonly standing: "leading" | "standby" | "cut-off";
  readonly identity: string;
  /** Who holds the lease, as last seen; null = nobody is known to. */
  readonly holder: string | null;
}

export interface PolicyProblemNote {
  /** A file's path, or `ScalingPolicy namespace/name`. */
  readonly where: string;
  readonly message: string;
}

export interface PagePolicy {
  readonly name: string;
  readonly namespace: string;
  /** What is carried out: the policy's own mode, or less where an operator has said so. */
  readonly mode: "observe" | "enforce" | "paused";
  /** Why it is less than the policy's own; null = it is not. */
  readonly override: ModeOverride | null;
  readonly model: string | null;
  readonly objectives: {
    readonly ttft: { readonly quantile: number; readonly target: number } | null;
    readonly itl: { readonly quantile: number; readonly target: number } | null;
  };
  readonly budgetGpus: number | null;
  readonly gpusAllocated: number | null;
  readonly lastDecision: Decision | null;
}

/** One point in time of one policy's pools; null = absent at that time, never zero. */
export interface PageFrame {
  readonly at: number;
  readonly policy: string;
  readonly ttft: { readonly p50: number; readonly p95: number; readonly target: number | null; readonly attainment: number | null } | null;
  readonly itl: { readonly p50: number; readonly p95: number; readonly target: number | null; readonly attainment: number | null } | null;
  readonly pools: readonly PagePool[];
  readonly transfer: { readonly bytesPerSecond: number; readonly failures: number } | null;
  readonly predicted: { readonly ttft: number | null; readonly itl: number | null };
}

export interface PagePool {
  readonly role: "prefill" | "decode";
  readonly name: string;
  readonly ready: number | null;
  readonly starting: number | null;
  readonly draining: number | null;
  readonly desired: number | null;
  readonly waiting: number | null;
  readonly running: number | null;
  readonly kvUsage: number | null;
  readonly limit: number | null;
  readonly tokensPerSecond: number | null;
  readonly velocity: number | null;
  readonly gpu: {
    readonly sm: number | null;
    readonly tensor: number | null;
    readonly dram: number | null;
    readonly powerWatts: number | null;
  };
}

export interface PageDecision {
  readonly policy: string;
  readonly decision: Decision;
  /** What was applied, or why not. */
  readonly outcome: "applied" | "unchanged" | "observe" | "held" | "failed";
  readonly error?: string;
}
