import type { Counter } from "prom-client";
import type { Labels } from "./metrics-registry.ts";

/** Reports after which a label set that no longer occurs is forgotten: 15 minutes at 1 Hz, long enough for any scrape interval. */
const FORGET_AFTER = 900;
/** Looking for those that do not occur costs a walk over all, so it is done once in so many reports. */
const LOOK_EVERY = 60;

/**
 * A counter that is added to with each report and looked at once in fifteen: the sums are kept here under one short key each, and prom-client,
 * which builds, sorts and hashes the labels with every call, hears of them when the page is asked for.
 */
export interface Tally {
  /** `kind` is the value of the tally's own label, behind those of `owner`. A first 0 makes the series visible from zero. */
  add(owner: TallyOwner, kind: string, amount: number): void;
  /** Ends a report: label sets that no longer occur are forgotten in time. */
  turn(): void;
  /** Brings the counter up to date. */
  flush(): void;
}

/** Whose events: its labels, and a key that differs when any of them does. */
export interface TallyOwner {
  readonly key: string;
  readonly labels: Labels;
}

interface Entry {
  readonly labels: Labels;
  pending: number;
  seen: number;
}

export function createTally(counter: Counter, label: string, forgetAfter: number = FORGET_AFTER): Tally {
  const entries = new Map<string, Entry>();
  let report = 0;
  return {
    add(owner, kind, amount) {
      const key = `${owner.key}\u0000${kind}`;
      const entry = entries.get(key);
      if (entry === undefined) {
        const labels = { ...owner.labels, [label]: kind };
        entries.set(key, { labels, pending: amount, seen: report });
        counter.inc(labels, 0);
      } else {
        entry.pending += amount;
        entry.seen = report;
      }
    },
    turn() {
      report++;
      if (report % Math.min(LOOK_EVERY, forgetAfter) !== 0) return;
      for (const [key, { labels, seen }] of entries) {
        if (report - seen <= forgetAfter) continue;
        entries.delete(key);
        counter.remove(labels);
      }
    },
    flush() {
      for (const entry of entries.values()) {
        if (entry.pending === 0) continue;
        counter.inc(entry.labels, entry.pending);
        entry.pending = 0;
      }
    },
  };
}
