/** Canonical names that every engine dialect maps its own series to. Units: seconds, tokens, bytes. */

/** Counters: only grow, except across a restart of the engine. */
export const COUNTERS = [
  "promptTokens",
  "cachedTokens",
  /** Prompt tokens that a decode engine computed itself, beside its steps. */
  "localPromptTokens",
  "generatedTokens",
  "requestsFinished",
  "preemptions",
  "kvTransfers",
  "kvTransferBytes",
  "kvTransferSeconds",
  "kvTransferFailures",
  /** Forward passes of the engine, whatever their phase. */
  "steps",
  /** Tokens processed by those passes (prefill tokens on P, sequences on D). */
  "stepTokens",
  /** Seconds the GPU was busy in prefill passes, where the engine says. */
  "prefillBusySeconds",
  /** Seconds the GPU was busy in decode passes, where the engine says. */
  "decodeBusySeconds",
] as const;
export type CounterName = (typeof COUNTERS)[number];

/**
 * Histograms: latencies in seconds, lengths in tokens. `itl` is the gap between tokens, a sample per token or step; `tpot` is the mean gap of
 * one request, a sample per request at its end. They agree in their means, not in their tails, so they are two names.
 */
export const DISTRIBUTIONS = ["ttft", "itl", "tpot", "e2e", "queue", "prefill", "kvTransfer", "isl", "osl"] as const;
export type DistributionName = (typeof DISTRIBUTIONS)[number];

export const GAUGES = [
  "running",
  "waiting",
  /** Requests waiting for their KV to arrive (decode side). */
  "waitingForKv",
  /** Share in 0..1. */
  "kvUsage",
  "kvCapacityTokens",
  "kvTokens",
  "maxBatchedTokens",
  "maxNumSeqs",
] as const;
export type GaugeName = (typeof GAUGES)[number];
