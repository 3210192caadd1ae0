import { spreadOf } from "./spread.ts";
import type { Observation } from "../../core/observation.ts";
import { addEwma, emptyEwma, ewmaMean, type Ewma } from "./ewma.ts";

/**
 * What the traffic looks like: rates as fast and slow means, lengths as ratios of means (so that they are
 * weighted by requests and tokens, not by intervals).
 */
export interface Workload {
  readonly now: Rates;
  readonly fast: Rates;
  readonly slow: Rates;
  /** Arrivals per second of the last intervals, for burstiness (bounded ring, oldest first). */
  readonly arrivals: readonly number[];
  /** Seconds of one entry of `arrivals`. */
  readonly span: number;
  readonly islMean: Ewma;
  readonly islP50: Ewma;
  readonly islP90: Ewma;
  readonly islP99: Ewma;
  readonly oslMean: Ewma;
  /** Mean resident KV tokens of one decoding sequence. */
  readonly context: Ewma;
}

interface Rates {
  readonly arrivals: Ewma;
  readonly input: Ewma;
  readonly uncached: Ewma;
  readonly output: Ewma;
}

const noRates: Rates = { arrivals: emptyEwma, input: emptyEwma, uncached: emptyEwma, output: emptyEwma };

/** About the last interval: what a surge looks like while it begins. */
export const NOW_TAU = 4;
/** Fast enough to follow a burst within two 5 s intervals. */
export const FAST_TAU = 10;
/** Slow enough that Poisson noise of a few requests per second averages out. */
export const SLOW_TAU = 60;
const LENGTH_TAU = 15;
/** Of some dozen prompts the 99th percentile is whatever the longest was: it rests on four times as many. */
const TAIL_TAU = 60;
/** A mean of lengths rests on at least 15 × 20 requests: at a few per second, quantiles of some seconds are chance. */
const SAMPLES_PER_SECOND = 20;
/** Resident context turns over with the running requests, within seconds; batch limits depend on it. */
const CONTEXT_TAU = 6;
const RING = 60;

export const emptyWorkload: Workload = {
  now: noRates,
  fast: noRates,
  slow: noRates,
  arrivals: [],
  span: 0,
  islMean: emptyEwma,
  islP50: emptyEwma,
  islP90: emptyEwma,
  islP99: emptyEwma,
  oslMean: emptyEwma,
  context: emptyEwma,
};

/** Folds one interval's evidence in; what is missing leaves its mean as it was. */
export function learnWorkload(w: Workload, o: Observation): Workload {
  const p = o.pools.prefill?.interval;
  const d = o.pools.decode?.interval;
  const span = p?.seconds ?? d?.seconds ?? 0;
  if (!(span > 0)) return w;
  const arrivals = rate(p?.arrivals, span);
  const input = rate(p?.inputTokens, span);
  const cached = rate(p?.cachedTokens, span) ?? 0;
  const uncached = input === undefined ? undefined : Math.max(0, input - cached);
  const output = rate(d?.outputTokens, d?.seconds ?? span);
  const update = (r: Rates, tau: number): Rates => ({
    arrivals: fold(r.arrivals, arrivals, span, tau),
    input: fold(r.input, input, span, tau),
    uncached: fold(r.uncached, uncached, span, tau),
    output: fold(r.output, output, span, tau),
  });
  const isl = p?.isl;
  const islWeight = Math.min(span, (p?.arrivals ?? 0) / SAMPLES_PER_SECOND);
  const oslWeight = Math.min(span, (d?.finished ?? 0) / SAMPLES_PER_SECOND);
  const steps = d?.steps;
  return {
    now: update(w.now, NOW_TAU),
    fast: update(w.fast, FAST_TAU),
    slow: update(w.slow, SLOW_TAU),
    arrivals: arrivals === undefined ? w.arrivals : [...w.arrivals, arrivals].slice(-RING),
    span,
    islMean: fold(w.islMean, isl?.mean, islWeight, LENGTH_TAU),
    islP50: fold(w.islP50, isl?.p50, islWeight, LENGTH_TAU),
    islP90: fold(w.islP90, isl?.p90, islWeight, LENGTH_TAU),
    islP99: fold(w.islP99, isl?.p99, islWeight, TAIL_TAU),
    oslMean: fold(w.oslMean, d?.osl?.mean ?? ratioOf(d?.outputTokens, d?.finished), oslWeight, LENGTH_TAU),
    context: fold(w.context, ratioOf(steps?.kvTokens, steps?.sequences), span, CONTEXT_TAU),
  };
}

/** Quantile between two known ones, straight in log length: prompt lengths are close to lognormal in the tail. */
function p95Of(p90: number, p99: number): number {
  if (!(p90 > 0) || !(p99 >= p90)) return Math.max(p90, p99);
  // z(0.95) lies 0.348 of the way from z(0.90) to z(0.99).
  return p90 * (p99 / p90) ** 0.348;
}

const rate = (amount: number | undefined, span: number): number | undefined => (amount === undefined ? undefined : amount / span);

const ratioOf = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined || !(b > 0) ? undefined : a / b;

const fold = (e: Ewma, value: number | undefined, span: number, tau: number): Ewma =>
  value === undefined || !Number.isFinite(value) || !(span > 0) ? e : addEwma(e, value, span, tau);

/** Lengths as the planner uses them; undefined before any request was seen. */
export interface Lengths {
  /** Mean prompt, and mean prompt tokens that must be computed. */
  readonly isl: number;
  readonly uncached: number;
  /** 95th percentile prompt tokens that must be computed. */
  readonly uncachedP95: number;
  /** E[L²] ÷ E[L]² of prompts. */
  readonly spread: number;
  readonly osl: number | undefined;
  /** Mean KV tokens of a decoding sequence. */
  readonly context: number;
  readonly cacheShare: number;
}

export function lengths(w: Workload): Lengths | undefined {
  const arrivals = ewmaMean(w.slow.arrivals);
  const input = ewmaMean(w.slow.input);
  const uncachedRate = ewmaMean(w.slow.uncached);
  const seen = ewmaMean(w.islMean);
  const isl = seen ?? (arrivals !== undefined && arrivals > 0 && input !== undefined ? input / arrivals : undefined);
  if (isl === undefined || !(isl > 0)) return undefined;
  const cacheShare = input !== undefined && input > 0 && uncachedRate !== undefined ? clamp(1 - uncachedRate / input, 0, 0.99) : 0;
  const p50 = ewmaMean(w.islP50);
  const p90 = ewmaMean(w.islP90);
  const p99 = ewmaMean(w.islP99);
  const known = p50 !== undefined && p90 !== undefined && p99 !== undefined;
  const spread = known ? clamp(spreadOf({ p50, p90, p99 }), 1, 20) : 2;
  const p95 = known ? Math.max(p95Of(p90, p99), isl) : isl * 2;
  const osl = ewmaMean(w.oslMean);
  return {
    isl,
    uncached: isl * (1 - cacheShare),
    uncachedP95: p95 * (1 - cacheShare),
    spread,
    osl,
    context: ewmaMean(w.context) ?? isl + (osl ?? 0) / 2,
    cacheShare,
  };
}

export const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));
