import type { Counter, Gauge } from "prom-client";
import { linkKey, linkOf, type LinkTallies, OTHER_LINKS } from "../intake/link-tally.ts";
import type { LinkView } from "../intake/link-matrix.ts";
import { linkRow } from "../loop/links.ts";
import type { Instruments } from "./metrics-registry.ts";

type Labels = Readonly<Record<string, string>>;

/** KV transfers by link, a window at a time. */
export interface LinkMetrics {
  window(policy: Labels, closed: LinkTallies, view: LinkView): void;
  drop(policy: Labels): void;
}

/** Windows after which the counters of a link without transfers are forgotten: ten minutes, longer than any scrape interval. */
const FORGET_AFTER = 60;
/** Links of one policy with counters of their own at a time; further ones count as `other`. */
const MAX_SERIES = 512;

export function createLinkMetrics({ gauge, counter }: Pick<Instruments, "gauge" | "counter">): LinkMetrics {
  const counters = {
    transfers: counter("fulcrum_kv_link_transfers_total"),
    seconds: counter("fulcrum_kv_link_transfer_seconds_total"),
    failures: counter("fulcrum_kv_link_failures_total"),
  };
  const gauges = {
    bytesPerSecond: gauge("fulcrum_kv_link_bytes_per_second"),
    speed: gauge("fulcrum_kv_link_speed_bytes_per_second"),
    slow: gauge("fulcrum_kv_link_slow"),
  };
  /** By policy: link → windows since its last transfer. */
  const known = new Map<string, Map<string, number>>();

  const all: readonly (Counter | Gauge)[] = [...Object.values(counters), ...Object.values(gauges)];
  const remove = (metrics: readonly (Counter | Gauge)[], labels: Labels): void => metrics.forEach((metric) => metric.remove(labels));
  const labelsOf = (policy: Labels, key: string): Labels => ({ ...policy, ...linkOf(key) });

  return {
    window(policy, closed, view) {
      const name = JSON.stringify(policy);
      const links = known.get(name) ?? new Map<string, number>();
      known.set(name, links);
      for (const [key, idle] of links) {
        links.set(key, idle + 1);
        if (idle < FORGET_AFTER) continue;
        links.delete(key);
        remove(all, labelsOf(policy, key));
      }
      for (const [key, { transfers, seconds, failures }] of closed) {
        const own = links.has(key) || links.size < MAX_SERIES ? key : linkKey(OTHER_LINKS, OTHER_LINKS);
        links.set(own, 0);
        const labels = labelsOf(policy, own);
        counters.transfers.inc(labels, transfers);
        counters.seconds.inc(labels, seconds);
        counters.failures.inc(labels, failures);
      }
      for (const key of links.keys()) {
        const labels = labelsOf(policy, key);
        remove(Object.values(gauges), labels);
        const { bytesPerSecond, speed } = linkRow(key, view);
        if (bytesPerSecond !== null) gauges.bytesPerSecond.set(labels, bytesPerSecond);
        if (speed !== null) gauges.speed.set(labels, speed);
        const state = view.standings.get(key)?.state ?? "unknown";
        if (state !== "unknown") gauges.slow.set(labels, state === "raised" ? 1 : 0);
      }
    },
    drop(policy) {
      const name = JSON.stringify(policy);
      // Counters stay, as those of the policy do.
      for (const key of known.get(name)?.keys() ?? []) remove(Object.values(gauges), labelsOf(policy, key));
      known.delete(name);
    },
  };
}
