/**
 * Dynamo's `kalman` load predictor: a local linear trend, F = [[1,1],[0,1]], H = [1,0], Q = diag(1, 0.1), R = 10,
 * P0 = 1000·I; below 5 points the last value. (Its default, pmdarima's auto_arima, is a search over models and not
 * repeated here; below 5 points, a quarter of an hour, it too is the last value.)
 */
const Q_LEVEL = 1;
const Q_TREND = 0.1;
const R = 10;
const MIN_POINTS = 5;

export interface Predictor {
  readonly points: number;
  readonly last: number;
  readonly level: number;
  readonly trend: number;
  /** Covariance: level–level, level–trend, trend–trend. */
  readonly p: readonly [number, number, number];
}

export const newPredictor: Predictor = { points: 0, last: 0, level: 0, trend: 0, p: [1000, 0, 1000] };

/** Folds one interval's value in; leading zeros are skipped. */
export function learnPoint(before: Predictor, value: number): Predictor {
  if (before.points === 0 && value === 0) return before;
  if (before.points === 0) return { points: 1, last: value, level: value, trend: 0, p: [1000, 0, 1000] };
  const [a, b, c] = before.p;
  const predicted = before.level + before.trend;
  const pa = a + 2 * b + c + Q_LEVEL;
  const pb = b + c;
  const pc = c + Q_TREND;
  const gain = pa / (pa + R);
  const trendGain = pb / (pa + R);
  const error = value - predicted;
  return {
    points: before.points + 1,
    last: value,
    level: predicted + gain * error,
    trend: before.trend + trendGain * error,
    p: [(1 - gain) * pa, (1 - gain) * pb, pc - trendGain * pb],
  };
}

/** One interval ahead, never negative. */
export const predictNext = (s: Predictor): number => Math.max(0, s.points < MIN_POINTS ? s.last : s.level + s.trend);
