import type { Attributes, Counter, Histogram } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { type MetricName, metric } from "../core/catalog.ts";
import type { ScrapeContext } from "./scrape/engine-scraper.ts";

/** Fulcrum watching itself, through the OpenTelemetry SDK. */
export interface SelfTelemetry {
  readonly scrapes: Pick<ScrapeContext, "scraped" | "failed" | "unreadable">;
  /** The catalog's `self` metrics as Prometheus text, to follow the other metrics on the page. */
  page(): Promise<string>;
  close(): Promise<void>;
}

/**
 * The metrics half of the SDK only: the agent makes no spans, and the full NodeSDK would look for an OTLP endpoint and
 * find our own receiver. The exporter would add a `target_info` with the whole command line and a scope label to every
 * series, so both are off, and its own server stays closed: one page holds all.
 */
export function createSelfTelemetry(): SelfTelemetry {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter("fulcrum-agent");
  const serializer = new PrometheusSerializer("", false, undefined, true, true);

  const description = (name: MetricName) => ({ description: metric(name).help });
  const duration: Histogram = meter.createHistogram("fulcrum_scrape_duration_seconds", {
    ...description("fulcrum_scrape_duration_seconds"),
    advice: { explicitBucketBoundaries: [...(metric("fulcrum_scrape_duration_seconds").buckets ?? [])] },
  });
  const bytes: Counter = meter.createCounter("fulcrum_scrape_bytes_total", description("fulcrum_scrape_bytes_total"));
  const failures: Counter = meter.createCounter("fulcrum_scrape_failures_total", description("fulcrum_scrape_failures_total"));
  const unreadable: Counter = meter.createCounter("fulcrum_scrape_unreadable_total", description("fulcrum_scrape_unreadable_total"));
  // From zero, so that the first event is visible as an increase.
  for (const source of ["engine", "gpu"]) for (const counter of [failures, unreadable]) counter.add(0, { source });
  meter
    .createObservableGauge("fulcrum_process_resident_memory_bytes", description("fulcrum_process_resident_memory_bytes"))
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableCounter("fulcrum_process_cpu_seconds_total", description("fulcrum_process_cpu_seconds_total"))
    .addCallback((result) => result.observe(cpuSeconds()));

  return {
    scrapes: {
      scraped(source, seconds, size) {
        const attributes: Attributes = { source };
        duration.record(seconds, attributes);
        bytes.add(size, attributes);
      },
      failed: (source) => failures.add(1, { source }),
      unreadable: (source, parts) => {
        if (parts > 0) unreadable.add(parts, { source });
      },
    },
    async page() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
    close: () => provider.shutdown(),
  };
}

/** CPU time of this process so far, user and system. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
