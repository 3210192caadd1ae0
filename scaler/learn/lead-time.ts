import type { ReplicaCounts } from "../../core/observation.ts";

/**
 * Lead time (decision → replica ready) as it really was: when a starting replica becomes ready, its last seen
 * age plus half the interval is a sample. Kept between a quarter and eight times the policy's prior.
 */
export interface LeadTime {
  readonly value: number;
  readonly samples: number;
  readonly previous: ReplicaCounts | null;
  readonly previousAt: number;
}

export const startLeadTime = (prior: number): LeadTime => ({ value: prior, samples: 0, previous: null, previousAt: 0 });

export function learnLeadTime(l: LeadTime, now: ReplicaCounts | undefined, at: number, prior: number): LeadTime {
  if (now === undefined) return l;
  const before = l.previous;
  let { value, samples } = l;
  if (before !== null && now.ready > before.ready && before.starting.length > now.starting.length) {
    const oldest = Math.max(...before.starting.map((s) => s.age));
    const sample = Math.min(prior * 8, Math.max(prior / 4, oldest + (at - l.previousAt) / 2));
    value += (samples === 0 ? 0.7 : 0.3) * (sample - value);
    samples = Math.min(samples + 1, 1000);
  }
  return { value, samples, previous: now, previousAt: at };
}
