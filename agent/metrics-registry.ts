import { Counter, Gauge, Registry } from "prom-client";
import { type MetricName, metric } from "../core/catalog.ts";
import { DistributionHistogram } from "./metrics-histogram.ts";

export type Labels = Readonly<Record<string, string>>;

/** Makes metrics out of catalog entries, so that a name, its help and its labels exist in one place. */
export interface MetricFactory {
  readonly registry: Registry;
  gauge(name: MetricName): Gauge;
  counter(name: MetricName): Counter;
  histogram(name: MetricName): DistributionHistogram;
}

/** An own registry: prom-client's global one would collect whatever any library registers. */
export function createMetricFactory(): MetricFactory {
  const registry = new Registry();
  const config = (name: MetricName) => {
    const { help, labels } = metric(name);
    return { name, help, labelNames: [...labels], registers: [registry] };
  };
  return {
    registry,
    gauge: (name) => new Gauge(config(name)),
    counter: (name) => new Counter(config(name)),
    histogram: (name) => new DistributionHistogram({ ...config(name), buckets: [...(metric(name).buckets ?? [])] }),
  };
}
