import { burstiness } from "../learn/burstiness.ts";
import { ewmaMean } from "../learn/ewma.ts";
import { clamp, FAST_TAU, lengths, SLOW_TAU, type Lengths, type Workload } from "../learn/workload.ts";

/** Offered work that a plan must carry. Rates per second. */
export interface Demand {
  readonly arrivals: number;
  /** Prompt tokens to compute per second (cache hits excluded). */
  readonly prefillTokens: number;
  /** Output tokens per second. */
  readonly decodeTokens: number;
  readonly lengths: Lengths;
  /** Index of dispersion of arrivals. */
  readonly burstiness: number;
}

/**
 * Demand expected `horizon` seconds ahead. In steady traffic the slow mean; when the fast mean has left it by more
 * than noise explains, the change is followed: the two means of a ramp lag by their time constants, so
 * slope = (fast − slow)/(τs − τf) and now = fast + slope·τf. The extrapolation is damped and bounded, because a ramp
 * rarely lasts a whole lead time.
 */
export function forecast(w: Workload, horizon: number): Demand | undefined {
  const known = lengths(w);
  const slowArrivals = ewmaMean(w.slow.arrivals);
  const fastArrivals = ewmaMean(w.fast.arrivals);
  const slowTokens = ewmaMean(w.slow.uncached);
  const fastTokens = ewmaMean(w.fast.uncached);
  if (known === undefined || slowArrivals === undefined || fastArrivals === undefined) return undefined;
  if (slowTokens === undefined || fastTokens === undefined) return undefined;
  const dispersion = burstiness(w.arrivals, w.span);
  const rate = Math.max(slowArrivals, fastArrivals);
  // Standard deviation of an EWMA of Poisson-like counts: √(variance rate / 2τ).
  const noise = Math.sqrt((dispersion * rate) / (2 * FAST_TAU));
  const tokenNoise = Math.sqrt((rate * (dispersion - 1 + known.spread) * known.uncached ** 2) / (2 * FAST_TAU));
  const arrivals = ahead(fastArrivals, slowArrivals, noise, horizon);
  const prefillTokens = ahead(fastTokens, slowTokens, tokenNoise, horizon);
  const slowOutput = ewmaMean(w.slow.output) ?? 0;
  const fastOutput = ewmaMean(w.fast.output) ?? 0;
  const outputNoise = known.osl === undefined ? fastOutput * 0.1 : Math.sqrt((rate * 2 * known.osl ** 2) / (2 * FAST_TAU));
  // Produced tokens lag arrivals by a request's life and collapse when decode starves; arrivals × length do not.
  const offered = known.osl === undefined ? 0 : arrivals * known.osl;
  const decodeTokens = Math.max(offered, ahead(fastOutput, slowOutput, outputNoise, horizon));
  return { arrivals, prefillTokens, decodeTokens, lengths: known, burstiness: dispersion };
}

const DAMP = 0.5;
/** Steady means within this many standard deviations. */
const SIGNIFICANT = 1.5;

function ahead(fast: number, slow: number, noise: number, horizon: number): number {
  const gap = fast - slow;
  if (Math.abs(gap) <= SIGNIFICANT * noise) return slow;
  const slope = gap / (SLOW_TAU - FAST_TAU);
  const now = Math.max(0, fast + slope * FAST_TAU);
  if (slope < 0) return now;
  return clamp(now + slope * horizon * DAMP, now, now * 2);
}

/** The heaviest of each kind of work: what the worst moment of a window asked for. */
export function worst(a: Demand, b: Demand): Demand {
  const longer = a.lengths.uncachedP95 >= b.lengths.uncachedP95 ? a.lengths : b.lengths;
  return {
    arrivals: Math.max(a.arrivals, b.arrivals),
    prefillTokens: Math.max(a.prefillTokens, b.prefillTokens),
    decodeTokens: Math.max(a.decodeTokens, b.decodeTokens),
    lengths: { ...longer, context: Math.max(a.lengths.context, b.lengths.context) },
    burstiness: Math.max(a.burstiness, b.burstiness),
  };
}
