/**
 * Exponentially weighted mean in continuous time: irregular intervals weigh by their length.
 * `weight` says how much of the mean rests on samples (1 − e^(−age/τ)); dividing by it removes the start-up bias.
 */
export interface Ewma {
  readonly sum: number;
  readonly weight: number;
}

export const emptyEwma: Ewma = { sum: 0, weight: 0 };

/** Folds in `value`, which held for `span` seconds, with time constant `tau` seconds. */
export function addEwma(e: Ewma, value: number, span: number, tau: number): Ewma {
  const keep = Math.exp(-span / tau);
  return { sum: e.sum * keep + value * (1 - keep), weight: e.weight * keep + (1 - keep) };
}

/** The mean, or undefined before any sample. */
export function ewmaMean(e: Ewma): number | undefined {
  return e.weight > 0 ? e.sum / e.weight : undefined;
}
