import type { Served, Truth, TruthTotals } from "./truth.ts";

export interface LatencyReport {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Samples at or below the target that was asked for. */
  readonly within?: number;
}

export interface TruthReport {
  readonly at: number;
  readonly elapsed: number;
  readonly ttft: LatencyReport;
  /** Per gap between tokens. */
  readonly itl: LatencyReport;
  /** Per request: its own mean gap. */
  readonly itlMean: LatencyReport;
  readonly totals: Readonly<TruthTotals>;
  readonly inFlight: number;
  readonly gpuSeconds: number;
  /**
   * Given targets, as the back-test counts it: shares of all requests so far that met TTFT, whose own mean gap met
   * ITL, and both; failed and unfinished ones are missed. Per first token and per gap, see `within`.
   */
  readonly attainment?: { readonly ttft: number | null; readonly itl: number | null; readonly both: number | null };
  readonly timeline: readonly (readonly [number, number, number])[];
  readonly droppedSamples: number;
  /** Sorted, on request. */
  readonly raw?: { readonly ttft: readonly number[] };
}

export interface TruthQuery {
  readonly ttft?: number;
  readonly itl?: number;
  readonly raw: boolean;
}

export interface TruthMoment {
  readonly at: number;
  readonly elapsed: number;
  readonly inFlight: number;
  readonly gpuSeconds: number;
}

export function reportTruth(truth: Truth, moment: TruthMoment, query: TruthQuery): TruthReport {
  const ttft = truth.ttft.map((seconds) => ({ seconds, weight: 1 }));
  const itl = truth.runs.filter((run) => run.gaps > 0).map((run) => ({ seconds: run.stepSeconds, weight: run.gaps }));
  const means = truth.served.map((one) => ({ seconds: one.itlMean, weight: 1 }));
  return {
    ...moment,
    ttft: latency(ttft, query.ttft),
    itl: latency(itl, query.itl),
    itlMean: latency(means, query.itl),
    totals: truth.totals,
    ...(query.ttft !== undefined && query.itl !== undefined ? { attainment: attainment(truth, { ttft: query.ttft, itl: query.itl }) } : {}),
    timeline: truth.timeline,
    droppedSamples: truth.dropped(),
    ...(query.raw ? { raw: { ttft: ttft.map((one) => one.seconds).sort((a, b) => a - b) } } : {}),
  };
}

interface Weighted {
  readonly seconds: number;
  readonly weight: number;
}

function latency(samples: readonly Weighted[], target: number | undefined): LatencyReport {
  const sorted = samples.toSorted((a, b) => a.seconds - b.seconds);
  const count = sorted.reduce((sum, one) => sum + one.weight, 0);
  const total = sorted.reduce((sum, one) => sum + one.seconds * one.weight, 0);
  return {
    count,
    mean: count === 0 ? null : total / count,
    p50: quantile(sorted, count, 0.5),
    p90: quantile(sorted, count, 0.9),
    p95: quantile(sorted, count, 0.95),
    p99: quantile(sorted, count, 0.99),
    ...(target === undefined ? {} : { within: sorted.reduce((sum, one) => sum + (one.seconds <= target ? one.weight : 0), 0) }),
  };
}

/** Nearest rank: the smallest sample that at least `q` of all are not above. */
function quantile(sorted: readonly Weighted[], count: number, q: number): number | null {
  let left = Math.ceil(q * count);
  for (const { seconds, weight } of sorted) {
    left -= weight;
    if (left <= 0) return seconds;
  }
  return null;
}

function attainment(
  { served, totals }: Truth,
  target: { readonly ttft: number; readonly itl: number },
): NonNullable<TruthReport["attainment"]> {
  const met = (good: (one: Served) => boolean): number | null =>
    totals.requests === 0 ? null : served.filter(good).length / totals.requests;
  return {
    ttft: met((one) => one.ttft <= target.ttft),
    itl: met((one) => one.itlMean <= target.itl),
    both: met((one) => one.ttft <= target.ttft && one.itlMean <= target.itl),
  };
}
