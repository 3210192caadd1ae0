/**
 * Index of dispersion of arrival counts within an interval, var/mean: 1 for Poisson. `rates` are arrivals per second of equal
 * intervals of `span` seconds, taken as a level that may move plus independent noise of variance v. From their successive differences Δ:
 *   E[Δₜ²]/2 = v + (moves of the level)²/2,   −E[ΔₜΔₜ₊₁] = v
 * The first has the smaller error, the second does not take a jump of the level (which the forecast answers) for clumps of arrivals
 * (which only spare capacity answers): the smaller one counts. Bounded to 1..10: below 1 a closed loop would flatter the queue, above
 * 10 one outlier would buy the whole budget.
 */
export function burstiness(rates: readonly number[], span: number): number {
  if (rates.length < 6 || !(span > 0)) return 1;
  let sum = rates[0] ?? 0;
  let squares = 0;
  let products = 0;
  let before = 0;
  for (let i = 1; i < rates.length; i++) {
    const now = rates[i] ?? 0;
    const step = now - (rates[i - 1] ?? 0);
    sum += now;
    squares += step * step;
    products -= step * before;
    before = step;
  }
  const mean = sum / rates.length;
  if (!(mean > 0)) return 1;
  const variance = Math.min(squares / (rates.length - 1) / 2, products / (rates.length - 2));
  return Math.min(10, Math.max(1, (variance * span) / mean));
}
