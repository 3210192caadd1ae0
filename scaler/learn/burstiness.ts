/**
 * Index of dispersion of arrival counts, var/mean per interval: 1 for Poisson. Taken from successive
 * differences, var(xₜ − xₜ₋₁)/(2·mean), so that a slow ramp is not mistaken for bursts.
 * `rates` are arrivals per second of equal intervals of `span` seconds. Bounded to 1..10: below 1 a closed
 * loop would flatter the queue, above 10 one outlier would buy the whole budget.
 */
export function burstiness(rates: readonly number[], span: number): number {
  if (rates.length < 6 || !(span > 0)) return 1;
  let mean = 0;
  let square = 0;
  for (let i = 0; i < rates.length; i++) {
    const now = rates[i] ?? 0;
    mean += now;
    if (i > 0) square += (now - (rates[i - 1] ?? 0)) ** 2;
  }
  mean /= rates.length;
  if (!(mean > 0)) return 1;
  const variance = (square / (rates.length - 1) / 2) * span;
  return Math.min(10, Math.max(1, variance / mean));
}
