import type { ReplicaCounts } from "../../core/observation.ts";

/**
 * Drain time (told to stop → gone) as it really was: the oldest replica that drains is the first to be gone. Counts are seen once an
 * interval, so either end is known to half of one; what began or ended unseen teaches nothing. The expected time of the requests under
 * way and the engine's KV lease are in it, a crash is not (it never drains). Kept below eight times the policy's lead time.
 */
export interface DrainTime {
  readonly value: number;
  readonly samples: number;
  /** When each draining replica began to, oldest first; null where nobody saw it. */
  readonly since: readonly (number | null)[];
  readonly previousAt: number | null;
  /** Ready and starting ones then: that they are fewer tells of one that began to drain while another was gone. */
  readonly previousPaid: number;
}

/** Kubernetes' default grace period: believed before anything has drained. */
const PRIOR = 30;
const MOST_LEADS = 8;
/** More than this many draining at once are not told apart by their order any more. */
const MOST_FOLLOWED = 256;

export const startDrainTime = (leadTime: number): DrainTime => ({
  value: Math.min(PRIOR, MOST_LEADS * leadTime),
  samples: 0,
  since: [],
  previousAt: null,
  previousPaid: 0,
});

export function learnDrainTime(
  d: DrainTime,
  now: ReplicaCounts | undefined,
  time: { readonly at: number; readonly interval: number; readonly leadTime: number },
): DrainTime {
  if (now === undefined) return d;
  const { at } = time;
  const seen = d.previousAt !== null && at - d.previousAt <= 2 * time.interval;
  const moment = d.previousAt !== null && seen ? (at + d.previousAt) / 2 : null;
  const draining = Math.min(now.draining, MOST_FOLLOWED);
  const paid = now.ready + now.starting.length;
  const began = Math.max(draining - d.since.length, d.previousAt === null ? 0 : Math.min(d.previousPaid - paid, draining), 0);
  const gone = d.since.slice(0, Math.max(0, d.since.length + began - draining));
  const came = Array.from({ length: draining - (d.since.length - gone.length) }, () => moment);
  let { value, samples } = d;
  for (const since of gone) {
    if (since === null || moment === null) continue;
    const sample = Math.min(MOST_LEADS * time.leadTime, moment - since);
    value += (samples === 0 ? 0.7 : 0.3) * (sample - value);
    samples = Math.min(samples + 1, 1000);
  }
  return { value, samples, since: [...d.since.slice(gone.length), ...came], previousAt: at, previousPaid: paid };
}
