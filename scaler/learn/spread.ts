/**
 * E[L²] ÷ E[L]² of lengths known by three quantiles: ln L is taken as straight in the normal score between them and beyond the outer
 * two (a lognormal by pieces), whose moments have a closed form: ∫ e^{k(a+bz)} φ(z) dz = e^{ka + k²b²/2} (Φ(z₂ − kb) − Φ(z₁ − kb)).
 * A single lognormal through mean and median overstates a mix of many short prompts and some long ones several times.
 * Quantiles in tokens, in any order of growth; 1 when all are equal.
 */
export function spreadOf(q: { readonly p50: number; readonly p90: number; readonly p99: number }): number {
  const p50 = Math.max(q.p50, 1);
  const p90 = Math.max(q.p90, p50);
  const p99 = Math.max(q.p99, p90);
  const middle = piece(0, p50, Z90, p90);
  const tail = piece(Z90, p90, Z99, p99);
  const moment = (k: number): number => part(middle, k, -Infinity, Z90) + part(tail, k, Z90, Infinity);
  return moment(2) / moment(1) ** 2;
}

const Z90 = 1.2816;
const Z99 = 2.3263;

interface Piece {
  readonly a: number;
  readonly b: number;
}

/** ln L = a + b·z through two points. */
function piece(z1: number, l1: number, z2: number, l2: number): Piece {
  const b = Math.log(l2 / l1) / (z2 - z1);
  return { a: Math.log(l1) - b * z1, b };
}

function part({ a, b }: Piece, k: number, from: number, to: number): number {
  return Math.exp(k * a + (k * b) ** 2 / 2) * (cdf(to - k * b) - cdf(from - k * b));
}

/** Standard normal distribution function (Abramowitz & Stegun 26.2.17, |error| < 7.5e-8). */
function cdf(z: number): number {
  if (z === Infinity) return 1;
  if (z === -Infinity) return 0;
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z >= 0 ? 1 - tail : tail;
}
