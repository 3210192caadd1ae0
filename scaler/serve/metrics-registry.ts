import { Counter, Gauge, Registry } from "prom-client";
import { CATALOG, type MetricName } from "../../core/catalog.ts";

/** prom-client instruments for every catalog name that the scaler exports itself; names, help and labels stand in the catalog only. */
export interface Instruments {
  readonly registry: Registry;
  gauge(name: MetricName): Gauge;
  counter(name: MetricName): Counter;
}

export function createInstruments(): Instruments {
  const registry = new Registry();
  const gauges = new Map<string, Gauge>();
  const counters = new Map<string, Counter>();
  for (const spec of CATALOG) {
    const exporters: readonly string[] = spec.by;
    if (!exporters.includes("scaler") || "self" in spec) continue;
    const options = { name: spec.name, help: spec.help, labelNames: [...spec.labels], registers: [registry] };
    if (spec.kind === "gauge") gauges.set(spec.name, new Gauge(options));
    else if (spec.kind === "counter") counters.set(spec.name, new Counter(options));
  }
  return { registry, gauge: (name) => known(gauges, name), counter: (name) => known(counters, name) };
}

function known<T>(instruments: ReadonlyMap<string, T>, name: string): T {
  const found = instruments.get(name);
  // A bug, not an input error: the catalog says another kind or another exporter.
  if (found === undefined) throw new Error(`${name} is not a metric of this kind that the scaler exports`);
  return found;
}
