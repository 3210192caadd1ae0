import type { Labels } from "./metrics-registry.ts";

/** Reports after which a label set that no longer occurs is forgotten: 15 minutes at 1 Hz, long enough for any scrape interval. */
const FORGET_AFTER = 900;

export interface SeriesKeeper {
  /** Marks a label set as alive in this report. */
  touch(labels: Labels): void;
  /** Ends the report; returns the label sets to forget. */
  expired(): readonly Labels[];
}

/**
 * Bounds the label sets of counters and histograms: those of pools and pods long gone are dropped. (Gauges are rebuilt
 * with each report, so theirs go at once; a counter must outlive the last scrape that has not seen it yet.)
 */
export function createSeriesKeeper(forgetAfter: number = FORGET_AFTER): SeriesKeeper {
  const alive = new Map<string, { labels: Labels; seen: number }>();
  let report = 0;
  return {
    touch(labels) {
      alive.set(JSON.stringify(labels), { labels, seen: report });
    },
    expired() {
      report++;
      const gone: Labels[] = [];
      for (const [key, { labels, seen }] of alive) {
        if (report - seen <= forgetAfter) continue;
        alive.delete(key);
        gone.push(labels);
      }
      return gone;
    },
  };
}
