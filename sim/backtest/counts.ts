/** What one node's agent counted between two of its reports. Only counts, sums and samples: nothing that looks ahead. */
export function emptyCounts() {
  return {
    arrivals: 0,
    inputTokens: 0,
    isl: [] as number[],
    promptTokens: 0,
    cachedTokens: 0,
    batches: { count: 0, tokens: 0, seconds: 0 },
    ttft: [] as number[],
    /** TTFT put together from the spans of both ends of requests that ended, by the clocks of their nodes; age at the report. */
    stitched: [] as { age: number; ttft: number }[],
    finished: 0,
    outputTokens: 0,
    osl: [] as number[],
    /** Prompt tokens computed on decode replicas. */
    localTokens: 0,
    steps: { count: 0, seconds: 0, sequences: 0, kvTokens: 0 },
    itl: [] as { value: number; weight: number }[],
    transfer: { transfers: 0, bytes: 0, busySeconds: 0, failures: 0 },
  };
}

export type Counts = ReturnType<typeof emptyCounts>;

/** Adds `more` into `sum`. */
export function addCounts(sum: Counts, more: Counts): void {
  sum.arrivals += more.arrivals;
  sum.inputTokens += more.inputTokens;
  sum.promptTokens += more.promptTokens;
  sum.cachedTokens += more.cachedTokens;
  sum.finished += more.finished;
  sum.outputTokens += more.outputTokens;
  sum.localTokens += more.localTokens;
  sum.batches.count += more.batches.count;
  sum.batches.tokens += more.batches.tokens;
  sum.batches.seconds += more.batches.seconds;
  sum.steps.count += more.steps.count;
  sum.steps.seconds += more.steps.seconds;
  sum.steps.sequences += more.steps.sequences;
  sum.steps.kvTokens += more.steps.kvTokens;
  sum.transfer.transfers += more.transfer.transfers;
  sum.transfer.bytes += more.transfer.bytes;
  sum.transfer.busySeconds += more.transfer.busySeconds;
  sum.transfer.failures += more.transfer.failures;
  append(sum.isl, more.isl);
  append(sum.ttft, more.ttft);
  append(sum.osl, more.osl);
  append(sum.itl, more.itl);
  append(sum.stitched, more.stitched);
}

function append<T>(to: T[], more: readonly T[]): void {
  for (const item of more) to.push(item);
}
