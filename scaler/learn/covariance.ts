/** Three by three, symmetric, row by row: small enough to be written out, so that every run rounds alike. */
export type Vector3 = readonly [number, number, number];
export type Covariance = readonly number[];

const make = (entry: (i: number, j: number) => number): number[] => Array.from({ length: 9 }, (_, k) => entry(Math.floor(k / 3), k % 3));
const at = (p: Covariance, i: number, j: number): number => p[i * 3 + j] ?? 0;

/**
 * Belief about three logarithms of which the common part is uncertain by `level` and deviations from it by `shape`, such that a sample
 * whose terms have the shares `x` (sum 1) tells of the common part only: level·11ᵀ + shape·NNᵀ with N = I − 1xᵀ, hence Nᵀx = 0.
 */
export function fromAnchor(x: Vector3, level: number, shape: number): number[] {
  const square = x[0] * x[0] + x[1] * x[1] + x[2] * x[2];
  return make((i, j) => level + shape * ((i === j ? 1 : 0) - (x[i] ?? 0) - (x[j] ?? 0) + square));
}

/** P·x and xᵀ·P·x: how a sample of these shares bears on each coefficient, and the variance of its prediction. */
export function leverage(p: Covariance, x: Vector3): { readonly along: Vector3; readonly variance: number } {
  const row = (i: number): number => at(p, i, 0) * x[0] + at(p, i, 1) * x[1] + at(p, i, 2) * x[2];
  const along: Vector3 = [row(0), row(1), row(2)];
  return { along, variance: Math.max(0, along[0] * x[0] + along[1] * x[1] + along[2] * x[2]) };
}

/** Joseph's form, valid for any gain g: (I − gxᵀ)P(I − gxᵀ)ᵀ + noise·ggᵀ. Stays positive semidefinite under rounding. */
export function fromGain(p: Covariance, g: Vector3, x: Vector3, noise: number): number[] {
  const { along, variance } = leverage(p, x);
  return make((i, j) => {
    const [gi, gj] = [g[i] ?? 0, g[j] ?? 0];
    // The mean of both halves, so that rounding cannot make it lopsided.
    const p2 = (at(p, i, j) + at(p, j, i)) / 2;
    return p2 - gi * (along[j] ?? 0) - gj * (along[i] ?? 0) + gi * gj * (variance + noise);
  });
}

/** More doubt about the common part. */
export const raised = (p: Covariance, by: number): number[] => p.map((v) => v + by);

/** A step of `share` towards `q`. */
export const relaxed = (p: Covariance, q: Covariance, share: number): number[] => p.map((v, i) => v + share * ((q[i] ?? 0) - v));
