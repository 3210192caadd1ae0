import { countOf, sumOf } from "../../core/distributions/empty.ts";
import { quantileOf } from "../../core/distributions/quantile.ts";
import type { Distribution } from "../../core/distribution.ts";
import type { Summary } from "../../core/summary.ts";

/** Points per side: 40 × 40 sums give quantiles within about one percentile rank, far below a histogram bucket's width. */
const POINTS = 40;

/**
 * Summary of X + Y for independent X and Y, each by POINTS equally likely values. The mean is exact; quantiles rest on the
 * independence (a request that waited in prefill does not therefore wait in decode, or the reverse).
 */
export function summarizeSum(x: Distribution, y: Distribution, target?: number): Summary | undefined {
  const a = points(x);
  const b = points(y);
  if (a.length === 0 || b.length === 0) return undefined;
  const sums = a.flatMap((u) => b.map((v) => u + v)).sort((u, v) => u - v);
  const at = (q: number): number => sums[Math.min(sums.length - 1, Math.max(0, Math.ceil(q * sums.length) - 1))] ?? 0;
  const count = Math.min(countOf(x), countOf(y));
  const mean = sumOf(x) / countOf(x) + sumOf(y) / countOf(y);
  const summary = { count, mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
  if (target === undefined) return summary;
  return { ...summary, within: (count * sums.filter((s) => s <= target).length) / sums.length };
}

function points(d: Distribution): readonly number[] {
  return Array.from({ length: POINTS }, (_, i) => quantileOf(d, (i + 0.5) / POINTS)).filter((v) => v !== undefined);
}
