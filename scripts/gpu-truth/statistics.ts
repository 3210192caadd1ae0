export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1));
}

/** Student's t at 97.5 % for 1, 2, … degrees of freedom; beyond the table the normal value is close enough. */
const T = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13];

/** Half the width of the 95 % confidence interval of the mean. */
export const halfWidth = (values: readonly number[]): number =>
  ((T[values.length - 2] ?? 2) * deviation(values)) / Math.sqrt(values.length);
