/**
 * How much slower than its prior a latency model really is: one factor per model, learned as a bounded, robust
 * mean of log ratios. (First form: the shape of the prior is kept, its size is learned.)
 */
export interface Scale {
  /** Natural logarithm of observed ÷ predicted. */
  readonly log: number;
  /** Busy seconds the estimate rests on, bounded. */
  readonly weight: number;
  /** Samples in a row that lay far off: one is an outlier, several are news. */
  readonly odd: number;
  /** Rolling |relative error| of the scaled model. */
  readonly error: number;
}

export const unitScale: Scale = { log: 0, weight: 0, odd: 0, error: 0 };

/** Beyond a factor of 16 the profile is of another machine; report, don't follow. */
const MAX_LOG = Math.log(16);
/** A sample more than 2.5× off what is believed is held back until three agree. */
const ODD_LOG = Math.log(2.5);
const ODD_RUN = 3;
/** Busy seconds that count as full confidence; older evidence fades accordingly. */
const MEMORY = 60;

/** Folds in one interval: `observed` and `predicted` busy seconds for the same work. */
export function learnScale(s: Scale, observed: number, predicted: number): Scale {
  if (!(observed > 0) || !(predicted > 0) || !Number.isFinite(observed) || !Number.isFinite(predicted)) return s;
  const sample = Math.min(MAX_LOG, Math.max(-MAX_LOG, Math.log(observed / predicted)));
  const off = sample - s.log;
  if (s.weight > 5 && Math.abs(off) > ODD_LOG && s.odd + 1 < ODD_RUN) return { ...s, odd: s.odd + 1 };
  const news = s.odd + 1 >= ODD_RUN && Math.abs(off) > ODD_LOG;
  const weight = news ? 0 : s.weight;
  const gain = observed / (weight + observed);
  return {
    log: s.log + gain * off,
    weight: Math.min(MEMORY, weight + observed),
    odd: 0,
    error: s.error + 0.1 * (Math.abs(Math.expm1(off)) - s.error),
  };
}

export const factor = (s: Scale): number => Math.exp(s.log);
