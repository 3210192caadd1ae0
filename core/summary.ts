/** Quantiles of one interval, in the unit of what was measured (seconds or tokens). Absent when count is 0. */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  /** Samples within the policy's target for this signal, when it has one. */
  readonly within?: number;
}
