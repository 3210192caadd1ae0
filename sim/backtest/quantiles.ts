import type { Summary } from "../../core/summary.ts";

/** Exact figures of all samples (nearest rank); undefined when there are none: an empty interval says nothing. */
export function summarize(samples: readonly number[], target?: number): Summary | undefined {
  if (samples.length === 0) return undefined;
  const sorted = Float64Array.from(samples).sort();
  const quantile = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  let sum = 0;
  let within = 0;
  for (const value of sorted) {
    sum += value;
    if (target !== undefined && value <= target) within += 1;
  }
  const base = {
    count: sorted.length,
    mean: sum / sorted.length,
    p50: quantile(0.5),
    p90: quantile(0.9),
    p95: quantile(0.95),
    p99: quantile(0.99),
  };
  return target === undefined ? base : { ...base, within };
}

/** The same for values that each stand for many samples (a step time stands for the tokens made in it). */
export function summarizeWeighted(
  samples: readonly { readonly value: number; readonly weight: number }[],
  target?: number,
): Summary | undefined {
  const sorted = samples.filter(({ weight }) => weight > 0).sort((a, b) => a.value - b.value);
  let [count, sum, within] = [0, 0, 0];
  for (const { value, weight } of sorted) {
    count += weight;
    sum += value * weight;
    if (target !== undefined && value <= target) within += weight;
  }
  if (count === 0) return undefined;
  // One walk for all quantiles: `seen` is what lies up to and including `index`.
  let index = 0;
  let seen = sorted[0]?.weight ?? 0;
  const quantile = (q: number): number => {
    while (seen < q * count && index + 1 < sorted.length) {
      index += 1;
      seen += sorted[index]?.weight ?? 0;
    }
    return sorted[index]?.value ?? 0;
  };
  const base = { count, mean: sum / count, p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99) };
  return target === undefined ? base : { ...base, within };
}
