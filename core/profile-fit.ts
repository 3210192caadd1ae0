import { bytesPerSecond, seconds } from "./units.ts";
import { decodeSeconds, prefillSeconds, type DecodeModel, type PrefillModel, type TransferModel } from "./latency-model.ts";
import type { Profile } from "./profile.ts";

/** Latency models of a profile's tables, with the mean relative error over each table. */
export interface ProfileFit {
  readonly prefill: PrefillModel;
  readonly decode: DecodeModel;
  readonly transfer: TransferModel;
  readonly error: { readonly prefill: number; readonly decode: number };
}

/** One measured point: the model's terms (what each coefficient multiplies) and the seconds it took. */
interface Point {
  readonly terms: readonly number[];
  readonly seconds: number;
}

/**
 * Least squares on the relative error, so that a 6 ms step weighs as much as a 1 s prompt, made robust: points
 * the three coefficients cannot describe (one sequence of 8k context reads its KV with a fraction of the memory
 * bandwidth) must not bend the fit where batches are served.
 */
export function fitProfile(profile: Profile): ProfileFit {
  const prefillPoints = profile.prefill.map(({ tokens, batch, ms }) => ({
    terms: [1, tokens * batch, tokens * tokens * batch],
    seconds: ms / 1000,
  }));
  const decodePoints = profile.decode.map(({ batch, ctx, ms }) => ({ terms: [1, batch, batch * ctx], seconds: ms / 1000 }));
  const prefill = fitPrefill(prefillPoints);
  const [d0 = 0, d1 = 0, d2 = 0] = fitRobust(decodePoints);
  const decode = { d0, d1, d2 };
  return {
    prefill,
    decode,
    transfer: { latency: seconds(profile.transfer.latency), bytesPerSecond: bytesPerSecond(profile.transfer.bytesPerSecond) },
    error: {
      prefill: meanError(prefillPoints, ([, sum = 0, square = 0]) => prefillSeconds(prefill, sum, square)),
      decode: meanError(decodePoints, ([, sequences = 0, kv = 0]) => decodeSeconds(decode, sequences, kv)),
    },
  };
}

/**
 * The floor is the shortest pass measured. Points on the floor say nothing about the slope, so the three
 * coefficients are fitted to those above it; which those are depends on the fit, hence the few rounds.
 */
function fitPrefill(points: readonly Point[]): PrefillModel {
  const floor = Math.min(...points.map((point) => point.seconds));
  let above = points.filter((point) => point.seconds > 1.25 * floor);
  for (let round = 0; round < 8; round += 1) {
    const [c0 = 0, c1 = 0, c2 = 0] = fitRobust(above.length >= 3 ? above : points);
    const next = points.filter(({ terms }) => c0 + c1 * (terms[1] ?? 0) > floor);
    if (next.length < 3 || next.length === above.length) return { floor, c0, c1, c2 };
    above = next;
  }
  const [c0 = 0, c1 = 0, c2 = 0] = fitRobust(above);
  return { floor, c0, c1, c2 };
}

/** Huber's weights by iteration: full weight within 3 % relative error, falling as 1/|error| beyond. */
const HUBER = 0.03;
const ROUNDS = 30;

function fitRobust(points: readonly Point[]): number[] {
  let weights = points.map(() => 1);
  let coefficients = fitNonNegative(points, weights);
  for (let round = 0; round < ROUNDS; round += 1) {
    weights = points.map(({ terms, seconds }) => {
      const predicted = terms.reduce((sum, term, index) => sum + term * (coefficients[index] ?? 0), 0);
      return Math.min(1, HUBER / Math.max(1e-12, Math.abs(predicted - seconds) / seconds));
    });
    coefficients = fitNonNegative(points, weights);
  }
  return coefficients;
}

/** A negative coefficient is noise (time cannot fall with work): it is set to zero and the others are fitted again. */
function fitNonNegative(points: readonly Point[], weights: readonly number[]): number[] {
  const width = points[0]?.terms.length ?? 0;
  let used = Array.from({ length: width }, (_, index) => index);
  while (used.length > 0) {
    const solution = solveLeastSquares(points, weights, used);
    const lowest = solution.indexOf(Math.min(...solution));
    if ((solution[lowest] ?? 0) >= 0) {
      return Array.from({ length: width }, (_, column) => solution[used.indexOf(column)] ?? 0);
    }
    used = used.filter((_, index) => index !== lowest);
  }
  return Array.from({ length: width }, () => 0);
}

/** Normal equations over the chosen columns, each scaled to its largest term (tokens² spans nine decades). */
function solveLeastSquares(points: readonly Point[], weights: readonly number[], columns: readonly number[]): number[] {
  const scale = columns.map((column) => Math.max(...points.map(({ terms, seconds }) => (terms[column] ?? 0) / seconds), 1e-300));
  const rows = points.map(({ terms, seconds }) => columns.map((column, index) => (terms[column] ?? 0) / seconds / (scale[index] ?? 1)));
  const normal = columns.map((_, i) =>
    columns.map((__, j) => rows.reduce((sum, row, k) => sum + (weights[k] ?? 1) * (row[i] ?? 0) * (row[j] ?? 0), 0)),
  );
  const right = columns.map((_, i) => rows.reduce((sum, row, k) => sum + (weights[k] ?? 1) * (row[i] ?? 0), 0));
  return eliminate(normal, right).map((value, index) => value / (scale[index] ?? 1));
}

/** Gaussian elimination with partial pivoting; a column without information (singular) gets zero. */
function eliminate(matrix: number[][], right: number[]): number[] {
  const size = right.length;
  const rows = matrix.map((row, index) => [...row, right[index] ?? 0]);
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let column = 0; column < size; column += 1) {
    let pivot = column;
    for (let row = column + 1; row < size; row += 1) if (Math.abs(at(row, column)) > Math.abs(at(pivot, column))) pivot = row;
    if (Math.abs(at(pivot, column)) < 1e-14) continue;
    [rows[column], rows[pivot]] = [rows[pivot] ?? [], rows[column] ?? []];
    for (let row = 0; row < size; row += 1) {
      if (row === column) continue;
      const factor = at(row, column) / at(column, column);
      rows[row] = (rows[row] ?? []).map((value, index) => value - factor * at(column, index));
    }
  }
  return right.map((_, row) => (Math.abs(at(row, row)) < 1e-14 ? 0 : at(row, size) / at(row, row)));
}

function meanError(points: readonly Point[], predict: (terms: readonly number[]) => number): number {
  if (points.length === 0) return 0;
  return points.reduce((sum, { terms, seconds }) => sum + Math.abs(predict(terms) - seconds) / seconds, 0) / points.length;
}
