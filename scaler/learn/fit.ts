import { fromAnchor, fromGain, leverage, raised, relaxed, type Covariance, type Vector3 } from "./covariance.ts";

/**
 * A latency model of three non-negative terms, t = Σ aᵢ·uᵢ, learned online as its prior times one factor per coefficient: recursive
 * least squares on log t (an extended Kalman filter), so that coefficients stay positive and units do not matter. What it is not in
 * textbooks for:
 *
 * - The *level* (all factors alike: a slower clock, another precision) is believed unknown, the *shape* (factors that differ) close to
 *   the prior's. Seen at one operating point only, samples move the level and leave the shape: a scaled prior.
 * - The level takes a residual whole and never grows surer than its memory; the shape takes it clipped (Huber), remembers long, and
 *   its correction does not touch the prediction where the sample was made. So there the fit is as good as one factor would be.
 */
export interface Fit {
  /** Natural logarithms of learned ÷ prior, per coefficient. */
  readonly logs: Vector3;
  /** Covariance of `logs`; null before the first sample. */
  readonly cov: Covariance | null;
  /** Weight of the samples that the level rests on, at most the memory. */
  readonly weight: number;
  /** Mean shares of the three terms in a sample, and the mean square of how far samples stray from them. */
  readonly mean: Vector3;
  readonly spread: number;
  /** Rolling mean square of the residuals' logarithms. */
  readonly scatter: number;
  /** Samples in a row that lay far off: one is an outlier, several are news. */
  readonly odd: number;
  /** Rolling |relative error| of the fitted model, each sample's at most 1. */
  readonly error: number;
}

export const noFit: Fit = { logs: [0, 0, 0], cov: null, weight: 0, mean: [0, 0, 0], spread: 0, scatter: 2.5e-3, odd: 0, error: 0 };

/** Beyond a factor of 64 the profile is of another machine (a link may fall so far); report, don't follow. */
const MAX_LOG = Math.log(64);
/** No coefficient strays further than this from what the level says. */
const MAX_SHAPE = Math.log(6);
/** A sample more than 2.5× off what is believed is held back until three agree. */
const ODD_LOG = Math.log(2.5);
const ODD_RUN = 3;
/** Belief before the first sample: the level may be off by e², one coefficient against the others by e^½. */
const LEVEL_VARIANCE = 4;
const SHAPE_VARIANCE = 0.25;
/** A residual beyond this teaches the shape no more than this. */
const CLIP = 0.15;
/** What samples scatter by (variance of log t): at least what uneven passes and means for sums do, at most what is clipped. */
const MIN_SCATTER = 4e-4;
const MAX_SCATTER = CLIP ** 2;
/** Shape is frozen while the terms' shares stray less than this (root mean square) from their mean: nothing tells them apart. */
const MIN_SPREAD = 0.01;
/** Rolling relative error from which on the model does not describe what is delivered. */
export const MISMATCH = 0.25;
/** Multiples of the level's memory over which the spread is judged, and after which evidence on the shape has faded. */
const SPREAD_MEMORY = 20;
const SHAPE_MEMORY = 120;

export interface Sample {
  /** Seconds that each coefficient, as learned so far, contributes to the work. */
  readonly parts: Vector3;
  /** Seconds it took. */
  readonly observed: number;
  /** How much the sample tells, and the sum of weights that counts as full confidence; older evidence fades accordingly. */
  readonly weight: number;
  readonly memory: number;
}

/** Folds in one interval. */
export function learnFit(fit: Fit, { parts, observed, weight, memory }: Sample): Fit {
  const predicted = parts[0] + parts[1] + parts[2];
  if (!(observed > 0) || !(predicted > 0) || !(weight > 0) || !Number.isFinite(observed + predicted + weight)) return fit;
  const off = within(Math.log(observed / predicted), MAX_LOG);
  const far = Math.abs(off) > ODD_LOG;
  const error = fit.error + 0.1 * (Math.min(1, Math.abs(Math.expm1(off))) - fit.error);
  if (far && fit.weight > memory / 12 && fit.odd + 1 < ODD_RUN) return { ...fit, odd: fit.odd + 1, error };
  const news = far && fit.odd + 1 >= ODD_RUN;
  const x: Vector3 = [parts[0] / predicted, parts[1] / predicted, parts[2] / predicted];
  const { mean, spread } = stray(fit, x, Math.min(1, weight / (SPREAD_MEMORY * memory)));
  const frozen = spread < MIN_SPREAD ** 2;
  const rests = news ? 0 : fit.weight;
  const level = weight / (rests + weight);
  // What keeps predicting wrongly is fitted anew: nothing of the certainty about the shape is left.
  const fade = fit.error > MISMATCH ? 1 : frozen ? 0 : Math.min(1, weight / (SHAPE_MEMORY * memory));
  const cov = doubt(fit.cov, x, { least: (fit.scatter * weight) / Math.max(rests, 1e-9), fade });
  const { along, variance } = leverage(cov, x);
  // Their mean weighted by x is zero: they turn the model about this sample.
  const turn = along.map((a) => (frozen ? 0 : (a - variance) / (variance + fit.scatter)));
  const [g0 = 0, g1 = 0, g2 = 0] = turn;
  const logs = turn.map((g, i) => (fit.logs[i] ?? 0) + level * off + g * within(off, CLIP));
  const square = Math.min(MAX_SCATTER, Math.max(MIN_SCATTER, off * off));
  return {
    logs: bounded(logs, x),
    cov: fromGain(cov, [level + g0, level + g1, level + g2], x, fit.scatter),
    weight: Math.min(memory, rests + weight),
    mean,
    spread,
    scatter: fit.cov === null || news ? fit.scatter : fit.scatter + 0.1 * (square - fit.scatter),
    odd: 0,
    error,
  };
}

/** The belief that a sample meets: the level at least as open as its gain says, the shape opening slowly. */
function doubt(cov: Covariance | null, x: Vector3, by: { readonly least: number; readonly fade: number }): Covariance {
  if (cov === null) return fromAnchor(x, LEVEL_VARIANCE, SHAPE_VARIANCE);
  const { variance } = leverage(cov, x);
  const faded = by.fade > 0 ? relaxed(cov, fromAnchor(x, variance, SHAPE_VARIANCE), by.fade) : cov;
  return raised(faded, Math.max(0, Math.min(LEVEL_VARIANCE, by.least) - variance));
}

function stray(fit: Fit, x: Vector3, share: number): Pick<Fit, "mean" | "spread"> {
  if (fit.cov === null) return { mean: x, spread: 0 };
  const away = x.map((v, i) => v - (fit.mean[i] ?? 0));
  const square = away.reduce((sum, d) => sum + d * d, 0);
  const [m0 = 0, m1 = 0, m2 = 0] = away.map((d, i) => (fit.mean[i] ?? 0) + share * d);
  return { mean: [m0, m1, m2], spread: fit.spread + share * (square - fit.spread) };
}

/** Each coefficient near the level, the level within what a profile can be wrong by. */
function bounded(logs: readonly number[], x: Vector3): Vector3 {
  const level = logs.reduce((sum, l, i) => sum + l * (x[i] ?? 0), 0);
  const kept = within(level, MAX_LOG);
  const [l0 = 0, l1 = 0, l2 = 0] = logs.map((l) => kept + within(l - level, MAX_SHAPE));
  return [l0, l1, l2];
}

const within = (v: number, most: number): number => Math.min(most, Math.max(-most, v));

/** Factors by which the prior's coefficients are multiplied. */
export const factors = ({ logs }: Fit): Vector3 => [Math.exp(logs[0]), Math.exp(logs[1]), Math.exp(logs[2])];
