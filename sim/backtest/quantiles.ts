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
  const count = sorted.reduce((sum, { weight }) => sum + weight, 0);
  if (count === 0) return undefined;
  const quantile = (q: number): number => {
    let seen = 0;
    for (const { value, weight } of sorted) {
      seen += weight;
      if (seen >= q * count) return value;
    }
    return sorted.at(-1)?.value ?? 0;
  };
  const mean = sorted.reduce((sum, { value, weight }) => sum + value * weight, 0) / count;
  const base = { count, mean, p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99) };
  if (target === undefined) return base;
  return { ...base, within: sorted.reduce((sum, { value, weight }) => sum + (value <= target ? weight : 0), 0) };
}
