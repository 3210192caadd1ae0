/**
 * Waiting time of m replicas behind one join-the-shortest-queue router (G/G/m):
 *   P(wait) ≈ ρ^(√(2(m+1)) − 1)
 *   mean    ≈ P(wait) · E[S]/(m(1 − ρ)) · (Ca² + Cs²)/2        (Kingman / Allen–Cunneen)
 *   tail    W_q ≈ (mean/P(wait)) · ln(P(wait)/(1 − q)), 0 when P(wait) < 1 − q
 * `service` in seconds, `rho` utilisation of the whole pool. Infinite at ρ ≥ 1.
 * Example: m = 1, ρ = 0.5, Ca² = 1, Cs² = 0 gives mean = 0.5·S, the M/D/1 value.
 */
export interface Waiting {
  readonly mean: number;
  readonly tail: number;
}

export function waiting(q: {
  readonly servers: number;
  readonly rho: number;
  readonly service: number;
  readonly arrivalScv: number;
  readonly serviceScv: number;
  readonly quantile: number;
}): Waiting {
  if (!(q.rho < 1)) return { mean: Infinity, tail: Infinity };
  if (!(q.rho > 0)) return { mean: 0, tail: 0 };
  const delayed = q.rho ** (Math.sqrt(2 * (q.servers + 1)) - 1);
  const mean = ((delayed * q.service) / (q.servers * (1 - q.rho))) * ((q.arrivalScv + q.serviceScv) / 2);
  const beyond = 1 - q.quantile;
  const tail = delayed <= beyond ? 0 : (mean / delayed) * Math.log(delayed / beyond);
  return { mean, tail };
}

/** Standard normal quantile for 0.5 ≤ q < 1 (Abramowitz & Stegun 26.2.23, |error| < 4.5e-4). */
export function normalQuantile(q: number): number {
  const t = Math.sqrt(-2 * Math.log(1 - q));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}
