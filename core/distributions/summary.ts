import type { Distribution } from "../distribution.ts";
import type { Summary } from "../summary.ts";
import { countOf, sumOf } from "./empty.ts";
import { quantileOf } from "./quantile.ts";
import { countWithin } from "./within.ts";

/** Undefined when there are no samples: an empty interval has no quantiles, and 0 would be a lie. */
export function summarize(d: Distribution, target?: number): Summary | undefined {
  const count = countOf(d);
  if (!(count > 0)) return undefined;
  const at = (q: number): number => quantileOf(d, q) ?? 0;
  const summary = { count, mean: sumOf(d) / count, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
  return target === undefined ? summary : { ...summary, within: countWithin(d, target) };
}
