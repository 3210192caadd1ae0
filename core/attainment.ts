import type { Summary } from "./summary.ts";

/**
 * Share of samples within a target. Exact where the driver counted them (`within`); else read off the quantiles that the
 * summary holds, in straight lines between them. Undefined when there are no samples.
 */
export function attainedShare(s: Summary, target: number): number | undefined {
  if (!(s.count > 0)) return undefined;
  if (s.within !== undefined) return s.within / s.count;
  const known = [
    [0, 0],
    [0.5, s.p50],
    [0.9, s.p90],
    [0.95, s.p95],
    [0.99, s.p99],
  ] as const;
  let share = 0;
  for (let i = 1; i < known.length; i++) {
    const [q = 0, value = 0] = known[i] ?? [];
    const [before = 0, low = 0] = known[i - 1] ?? [];
    if (target >= value) share = q;
    else return target > low ? before + ((q - before) * (target - low)) / (value - low) : share;
  }
  // Past p99 nothing is known of the rest; an objective above 0.99 is then judged as met.
  return 1;
}
