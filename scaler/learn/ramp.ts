/**
 * A ramp is traffic that climbs quarter by quarter of the last minute, no quarter's step below three tenths of the steepest one's: a
 * jump climbs in two at most. What follows a ramp is more of it; what follows a jump is not. Forecasters chosen by their rolling loss
 * come to it too late, for the first minute of a ramp is all that a lead time of a minute leaves.
 */
const WINDOW = 60;
const QUARTERS = 4;
const EVEN = 0.3;
/** Climbs of less than this share per quarter are no ramp. */
const LEAST = 0.02;
/** Ramps end: part of the way is believed, and no more than twice what there is. */
const DAMPED = 0.8;
const MOST = 2;

/** The rate `ahead` seconds from now if the ramp goes on; undefined where there is none. `fast` is the rate's quick mean. */
export function rampAhead(
  recent: readonly { readonly at: number; readonly now: number }[],
  fast: number,
  time: { readonly at: number; readonly ahead: number },
): number | undefined {
  const length = WINDOW / QUARTERS;
  const sums = [0, 0, 0, 0];
  const counts = [0, 0, 0, 0];
  // Oldest first: what lies before the window is skipped from the end, where the window is.
  let first = recent.length;
  while (first > 0 && time.at - (recent[first - 1]?.at ?? 0) < WINDOW) first -= 1;
  for (let i = first; i < recent.length; i += 1) {
    const r = recent[i];
    const quarter = QUARTERS - 1 - Math.floor((time.at - (r?.at ?? 0)) / length);
    if (r === undefined || quarter >= QUARTERS) continue;
    sums[quarter] = (sums[quarter] ?? 0) + r.now;
    counts[quarter] = (counts[quarter] ?? 0) + 1;
  }
  const means = sums.map((sum, i) => sum / (counts[i] ?? 0));
  const steps = means.slice(1).map((mean, i) => mean - (means[i] ?? Number.NaN));
  const steepest = Math.max(...steps);
  const oldest = means[0] ?? Number.NaN;
  const last = means.at(-1) ?? Number.NaN;
  // A quarter without samples makes all of them not a number, and every comparison false.
  if (!(Math.min(...steps) >= EVEN * steepest && steepest > LEAST * last)) return undefined;
  const slope = (last - oldest) / (WINDOW - length);
  return Math.min(MOST * fast, fast + DAMPED * slope * time.ahead);
}

/** Rolling losses of what ramps foretold and of what the chosen forecaster said at the same moments. */
export interface RampRecord {
  readonly followed: number;
  readonly ignored: number;
}

export const noRamps: RampRecord = { followed: 0, ignored: 0 };

const KEEP = 0.97;

/** Notes the losses of one moment of a ramp, known a lead time later. */
export const scoreRamp = (r: RampRecord, followed: number, ignored: number): RampRecord => ({
  followed: KEEP * r.followed + followed,
  ignored: KEEP * r.ignored + ignored,
});

/** Ramps are followed where it was no loss: at first, and then by their own record on this traffic (in jagged traffic they lead nowhere). */
export const believesRamps = (r: RampRecord): boolean => r.followed <= r.ignored;
