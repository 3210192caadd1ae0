/**
 * Attainment has the last word: a capacity factor per pool, trimmed down while a settled pool misses its
 * objective and recovering slowly while it holds (the model proposes, delivered attainment decides).
 */
export interface Trim {
  readonly factor: number;
  /** Consecutive settled intervals that missed. */
  readonly misses: number;
}

export const fullTrim: Trim = { factor: 1, misses: 0 };

/** Never believe less than 0.6 or more than 1.1 of the model's capacity. */
const LOW = 0.6;
const HIGH = 1.1;
const GAIN = 0.25;
const RECOVER = 0.01;

export interface TrimEvidence {
  /** Share of the interval's samples within the target. */
  readonly attained: number;
  readonly samples: number;
  /** The objective's quantile. */
  readonly quantile: number;
  /** No replica starting or draining, no recent change, no backlog being drained: the plan had time to work. */
  readonly settled: boolean;
  /** The model said that these replicas meet the target: a miss is then the model's error, not a shortage it knows of. */
  readonly promised: boolean;
}

export function learnTrim(t: Trim, e: TrimEvidence): Trim {
  if (!e.settled || e.samples < 10) return t;
  if (e.attained >= e.quantile) return { factor: Math.min(Math.max(t.factor, 1), t.factor + RECOVER), misses: 0 };
  const misses = Math.min(t.misses + 1, 1000);
  // One bad interval is noise at a 95 % objective; the second in a row is not.
  if (misses < 2 || !e.promised) return { factor: t.factor, misses };
  return { factor: Math.min(HIGH, Math.max(LOW, t.factor * (1 - GAIN * (e.quantile - e.attained)))), misses };
}
