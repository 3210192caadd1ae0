import type { CounterName, DistributionName, GaugeName } from "../core/engines/canonical.ts";
import type { MetricName } from "../core/catalog.ts";
import type { NodeReport, PoolReport, ReplicaReport } from "../wire/messages.ts";
import type { Labels, MetricFactory } from "./metrics-registry.ts";
import { createSeriesKeeper } from "./metrics-series.ts";

const HISTOGRAMS = [
  ["ttft", "fulcrum_ttft_seconds"],
  ["itl", "fulcrum_itl_seconds"],
  ["e2e", "fulcrum_e2e_seconds"],
  ["queue", "fulcrum_queue_seconds"],
  ["prefill", "fulcrum_prefill_seconds"],
  ["kvTransfer", "fulcrum_kv_transfer_seconds"],
] as const satisfies readonly (readonly [DistributionName, MetricName])[];

const COUNTED = [
  ["promptTokens", "fulcrum_prompt_tokens_total"],
  ["cachedTokens", "fulcrum_cached_tokens_total"],
  ["generatedTokens", "fulcrum_generated_tokens_total"],
  ["kvTransferBytes", "fulcrum_kv_transfer_bytes_total"],
  ["kvTransferFailures", "fulcrum_kv_transfer_failures_total"],
] as const satisfies readonly (readonly [CounterName, MetricName])[];

/** Pool metrics follow the reports exactly: what the scaler is told is what Prometheus sees. */
export interface PoolMetrics {
  /** Adds what happened since the report before. */
  count(report: NodeReport): void;
  /** Sets every gauge by this report and no other. */
  show(report: NodeReport): void;
}

export function createPoolMetrics(factory: MetricFactory): PoolMetrics {
  const histograms = HISTOGRAMS.map(([name, metricName]) => ({ name, metric: factory.histogram(metricName) }));
  const counters = COUNTED.map(([name, metricName]) => ({ name, metric: factory.counter(metricName) }));
  const resets = factory.counter("fulcrum_engine_resets_total");
  const running = factory.gauge("fulcrum_requests_running");
  const waiting = factory.gauge("fulcrum_requests_waiting");
  const kvUsage = factory.gauge("fulcrum_kv_cache_usage_ratio");
  const bandwidth = factory.gauge("fulcrum_kv_transfer_bandwidth_bytes_per_second");
  const keeper = createSeriesKeeper();
  const fromEngine = new Map<string, Set<DistributionName>>();

  const addDistributions = (pool: PoolReport, labels: Labels): void => {
    const key = JSON.stringify(labels);
    const known = fromEngine.get(key) ?? new Set<DistributionName>();
    fromEngine.set(key, known);
    for (const { name, metric } of histograms) {
      const engine = pool.distributions[name];
      if (engine !== undefined) known.add(name);
      // The engine counts every request and spans may be sampled; using both would count requests twice. So spans feed a
      // histogram only where the engine has none, even in an interval without a scrape.
      const value = known.has(name) ? engine : pool.spans[name];
      if (value !== undefined) metric.add(labels, value);
    }
  };

  const setGauges = (report: NodeReport, pool: PoolReport, labels: Labels): void => {
    setIfKnown(running, labels, sum(gaugeValues(pool.replicas, "running")));
    setIfKnown(waiting, labels, sum(gaugeValues(pool.replicas, "waiting")));
    const usage = gaugeValues(pool.replicas, "kvUsage");
    setIfKnown(kvUsage, labels, usage.length === 0 ? undefined : (sum(usage) ?? 0) / usage.length);
    const bytes = pool.counters.kvTransferBytes;
    if (bytes !== undefined && report.interval > 0) bandwidth.set({ ...labels, ...ends(pool, report.node) }, bytes / report.interval);
  };

  return {
    count(report) {
      for (const pool of report.pools) {
        const labels = labelsOf(pool);
        keeper.touch(labels);
        for (const { name: counter, metric } of counters) {
          const value = pool.counters[counter];
          if (value !== undefined) metric.inc(labels, value);
        }
        resets.inc(labels, pool.resets);
        addDistributions(pool, labels);
      }
      for (const labels of keeper.expired()) {
        for (const { metric } of counters) metric.remove(labels);
        resets.remove(labels);
        for (const { metric } of histograms) metric.forget(labels);
        fromEngine.delete(JSON.stringify(labels));
      }
    },
    show(report) {
      for (const gauge of [running, waiting, kvUsage, bandwidth]) gauge.reset();
      for (const pool of report.pools) setGauges(report, pool, labelsOf(pool));
    },
  };
}

const labelsOf = ({ namespace, pool, role, model, engine }: PoolReport): Labels => ({ namespace, pool, role, model, engine });

/** The side that counts the bytes is on this node; the other side is not known from counters. */
const ends = (pool: PoolReport, node: string): Labels => ({
  source: pool.role === "prefill" ? node : "",
  target: pool.role === "decode" ? node : "",
});

const gaugeValues = (replicas: readonly ReplicaReport[], name: GaugeName): number[] =>
  replicas.map((r) => r.gauges[name]).filter((v) => v !== undefined);

/** Missing is not zero: no values have no sum. */
const sum = (values: readonly number[]): number | undefined => (values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0));

function setIfKnown(gauge: { set(labels: Labels, value: number): void }, labels: Labels, value: number | undefined): void {
  if (value !== undefined) gauge.set(labels, value);
}
