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
    steps: { count: 0, seconds: 0, sequences: 0, kvTokens: 0 },
    itl: [] as { value: number; weight: number }[],
    transfer: { transfers: 0, bytes: 0, busySeconds: 0, failures: 0 },
  };
}

export type Counts = ReturnType<typeof emptyCounts>;

/** Adds `more` into `sum`. */
export function addCounts(sum: Counts, more: Counts): void {
  for (const key of ["arrivals", "inputTokens", "promptTokens", "cachedTokens", "finished", "outputTokens"] as const) sum[key] += more[key];
  for (const key of ["count", "tokens", "seconds"] as const) sum.batches[key] += more.batches[key];
  for (const key of ["count", "seconds", "sequences", "kvTokens"] as const) sum.steps[key] += more.steps[key];
  for (const key of ["transfers", "bytes", "busySeconds", "failures"] as const) sum.transfer[key] += more.transfer[key];
  for (const key of ["isl", "ttft", "osl"] as const) for (const value of more[key]) sum[key].push(value);
  for (const sample of more.itl) sum.itl.push(sample);
  for (const sample of more.stitched) sum.stitched.push(sample);
}
