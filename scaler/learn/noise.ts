import { FAST_TAU, NOW_TAU } from "./workload.ts";
import type { Levels } from "./forecaster.ts";

/** Deviations within this many standard errors of the slow mean are noise. */
const ERRORS = 2;
const FEWEST = 6;
/** Median of |x| ÷ standard deviation, for normal x. */
const MEDIAN_OF_NORMAL = 0.6745;

/**
 * The quick means with their noise taken out: what lies within 2 standard errors of the slow mean is put back on it, and the rest
 * moves towards it by as much (soft threshold), so that a step or a ramp still shows and chance does not. Chance is not lost: the
 * queue's formula has it as burstiness. A trend drawn through noise is 2.5 times the noise, and the highest of its ticks is what a
 * scale-up would follow.
 *
 * The noise of one interval comes from successive differences of the quickest mean, their median, so that one jump is no noise: with
 * weight a = 1 − e^(−span/τ) of one interval, Var(mₜ − mₜ₋₁) = 2a²v/(2 − a), and a mean of weight b has variance vb/(2 − b).
 */
export function withoutNoise(l: Levels, recent: readonly { readonly now: number }[], span: number): Levels {
  if (recent.length < FEWEST) return l;
  const steps = new Float64Array(recent.length - 1);
  for (let i = 1; i < recent.length; i++) steps[i - 1] = Math.abs((recent[i]?.now ?? 0) - (recent[i - 1]?.now ?? 0));
  steps.sort();
  const sd = (steps[steps.length >> 1] ?? 0) / MEDIAN_OF_NORMAL;
  const a = weight(span, NOW_TAU);
  const interval = (sd * sd * (2 - a)) / (2 * a * a);
  const soft = (mean: number, tau: number): number => {
    const b = weight(span, tau);
    const noise = ERRORS * Math.sqrt((interval * b) / (2 - b));
    const away = mean - l.slow;
    return l.slow + Math.sign(away) * Math.max(0, Math.abs(away) - noise);
  };
  return { now: soft(l.now, NOW_TAU), fast: soft(l.fast, FAST_TAU), slow: l.slow };
}

const weight = (span: number, tau: number): number => 1 - Math.exp(-span / tau);
