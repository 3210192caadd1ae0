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
  const sums = Array.from({ length: QUARTERS }, () => ({ sum: 0, count: 0 }));
  for (const r of recent) {
    const quarter = sums[QUARTERS - 1 - Math.floor((time.at - r.at) / length)];
    if (quarter === undefined) continue;
    quarter.sum += r.now;
    quarter.count += 1;
  }
  const means = sums.map(({ sum, count }) => sum / count);
  const steps = means.slice(1).map((mean, i) => mean - (means[i] ?? Number.NaN));
  const steepest = Math.max(...steps);
  const first = means[0] ?? Number.NaN;
  const last = means.at(-1) ?? Number.NaN;
  // A quarter without samples makes all of them not a number, and every comparison false.
  if (!(Math.min(...steps) >= EVEN * steepest && steepest > LEAST * last)) return undefined;
  const slope = (last - first) / (WINDOW - length);
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
