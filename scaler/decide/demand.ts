import { tokensPerSecond, type TokensPerSecond } from "../../core/units.ts";
import { burstiness } from "../learn/burstiness.ts";
import { ewmaMean } from "../learn/ewma.ts";
import { FAST_TAU, lengths, NOW_TAU, type Lengths, type Workload } from "../learn/workload.ts";

/** Offered work that a plan must carry. Rates per second. */
export interface Demand {
  readonly arrivals: number;
  /** Prompt tokens to compute per second (cache hits excluded). */
  readonly prefillTokens: TokensPerSecond;
  /** Output tokens per second. */
  readonly decodeTokens: TokensPerSecond;
  readonly lengths: Lengths;
  /** Index of dispersion of arrivals. */
  readonly burstiness: number;
}

/**
 * Demand expected `horizon` seconds ahead. In steady traffic the slow mean. When the fast mean has left it by more than
 * noise explains, the recent level is taken instead (a change point: the long memory is of another regime); while that
 * level is itself still rising, it is extrapolated, damped and bounded, because a ramp rarely lasts a whole lead time.
 */
export function forecast(w: Workload, horizon: number): Demand | undefined {
  const known = lengths(w);
  const arrivalsSeen = levels(w, "arrivals");
  const tokensSeen = levels(w, "uncached");
  if (known === undefined || arrivalsSeen === undefined || tokensSeen === undefined) return undefined;
  const dispersion = burstiness(w.arrivals, w.span);
  const rate = Math.max(arrivalsSeen.slow, arrivalsSeen.fast, arrivalsSeen.now);
  // Variance per second of a compound Poisson-like stream: rate · (dispersion − 1 + E[x²]/E[x]²) · E[x]².
  const arrivals = ahead(arrivalsSeen, dispersion * rate, horizon);
  const prefillTokens = ahead(tokensSeen, rate * (dispersion - 1 + known.spread) * known.uncached ** 2, horizon);
  const outputSeen = levels(w, "output") ?? { now: 0, fast: 0, slow: 0 };
  const produced = ahead(outputSeen, rate * 2 * (known.osl ?? 0) ** 2, horizon);
  // Produced tokens lag arrivals by a request's life and collapse when decode starves; arrivals × length do not.
  const offered = known.osl === undefined ? 0 : arrivals * known.osl;
  return {
    arrivals,
    prefillTokens: tokensPerSecond(prefillTokens),
    decodeTokens: tokensPerSecond(Math.max(offered, produced)),
    lengths: known,
    burstiness: dispersion,
  };
}

interface Levels {
  readonly now: number;
  readonly fast: number;
  readonly slow: number;
}

function levels(w: Workload, of: "arrivals" | "uncached" | "output"): Levels | undefined {
  const now = ewmaMean(w.now[of]);
  const fast = ewmaMean(w.fast[of]);
  const slow = ewmaMean(w.slow[of]);
  return now === undefined || fast === undefined || slow === undefined ? undefined : { now, fast, slow };
}

/** Means that differ by less than this many standard deviations are the same. */
const SIGNIFICANT = 2;
/** A rise is followed at most this far beyond the level it has reached. */
const MOST_AHEAD = 1.3;
const DAMP = 0.5;

/** `variance` per second of the counted amount; an EWMA of time constant τ averages it to variance/2τ. */
function ahead(l: Levels, variance: number, horizon: number): number {
  const noise = (tau: number): number => SIGNIFICANT * Math.sqrt(variance / (2 * tau));
  const left = Math.abs(l.fast - l.slow) > noise(FAST_TAU) || Math.abs(l.now - l.slow) > 1.5 * noise(NOW_TAU);
  if (!left) return l.slow;
  const level = Math.max(l.fast, l.now);
  const rise = l.now - l.fast;
  if (rise <= noise(NOW_TAU)) return level;
  const slope = rise / (FAST_TAU - NOW_TAU);
  return Math.min(level + slope * horizon * DAMP, level * MOST_AHEAD);
}

/** The heaviest of each kind of work: what the worst moment of a window asked for. */
export function worst(a: Demand, b: Demand): Demand {
  const longer = a.lengths.uncachedP95 >= b.lengths.uncachedP95 ? a.lengths : b.lengths;
  return {
    arrivals: Math.max(a.arrivals, b.arrivals),
    prefillTokens: tokensPerSecond(Math.max(a.prefillTokens, b.prefillTokens)),
    decodeTokens: tokensPerSecond(Math.max(a.decodeTokens, b.decodeTokens)),
    lengths: { ...longer, context: Math.max(a.lengths.context, b.lengths.context) },
    burstiness: Math.max(a.burstiness, b.burstiness),
  };
}
