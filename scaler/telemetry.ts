import { metrics, SpanStatusCode, trace, type Attributes, type MeterProvider, type Span, type Tracer } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { metric, type MetricName } from "../core/catalog.ts";

/** Stages of a control tick: span names and values of the stage label. */
export type Stage = "tick" | "intake" | "learn" | "decide" | "guard" | "act" | "journal";

/** The scaler watching itself: one span per control tick with a child per stage, and their durations as a histogram. */
export interface Telemetry {
  /** Runs a stage inside its span; a failure marks the span and passes on. */
  stage<T>(stage: Stage, attributes: Attributes, run: (note: (more: Attributes) => void) => Promise<T>): Promise<T>;
  /** The same for a stage that is one pure computation. */
  compute<T>(stage: Stage, run: () => T): T;
  /** The catalog's `self` metrics as Prometheus text. */
  page(): Promise<string>;
  close(): Promise<void>;
}

export interface TelemetryOptions {
  /** Spans go here over OTLP/HTTP (base address); undefined = they go nowhere. */
  readonly endpoint: string | undefined;
  readonly version: string;
}

/**
 * The exporter's own server stays closed (one page holds all), and it would add a `target_info` with the whole command line and
 * a scope label to every series: both are off.
 */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  // Short, so that a collector that is away does not hold up the stop.
  const exporter =
    options.endpoint === undefined
      ? undefined
      : new OTLPTraceExporter({ url: `${options.endpoint.replace(/\/+$/, "")}/v1/traces`, timeoutMillis: 2000 });
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({ "service.name": "fulcrum-scaler", "service.version": options.version }),
    // An explicit empty list: left out, the SDK would export to an address nobody named.
    spanProcessors: exporter === undefined ? [] : [new BatchSpanProcessor(exporter)],
    metricReaders: [reader],
    logRecordProcessors: [],
    instrumentations: [],
    autoDetectResources: false,
  });
  sdk.start();
  const tracer = trace.getTracer("fulcrum-scaler", options.version);
  const durations = createInstruments(metrics);
  return {
    stage: (stage, attributes, run) => runStage(tracer, durations, { stage, attributes }, run),
    compute: (stage, run) => computeStage(tracer, durations, stage, run),
    async page() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
    async close() {
      await sdk.shutdown();
      // The API keeps its globals after a shutdown; the next scaler of this process needs them free.
      trace.disable();
      metrics.disable();
    },
  };
}

type Record = (seconds: number, stage: Stage) => void;

function createInstruments(api: Pick<MeterProvider, "getMeter">): Record {
  const meter = api.getMeter("fulcrum-scaler");
  const description = (name: MetricName) => ({ description: metric(name).help });
  const histogram = meter.createHistogram("fulcrum_tick_duration_seconds", {
    ...description("fulcrum_tick_duration_seconds"),
    advice: { explicitBucketBoundaries: [...(metric("fulcrum_tick_duration_seconds").buckets ?? [])] },
  });
  meter
    .createObservableGauge("fulcrum_process_resident_memory_bytes", description("fulcrum_process_resident_memory_bytes"))
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableCounter("fulcrum_process_cpu_seconds_total", description("fulcrum_process_cpu_seconds_total"))
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  return (seconds, stage) => histogram.record(seconds, { stage });
}

function runStage<T>(
  tracer: Tracer,
  record: Record,
  named: { readonly stage: Stage; readonly attributes: Attributes },
  run: (note: (more: Attributes) => void) => Promise<T>,
): Promise<T> {
  const begin = performance.now();
  return tracer.startActiveSpan(named.stage, { attributes: named.attributes }, async (span: Span) => {
    try {
      return await run((more) => span.setAttributes(more));
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      throw error;
    } finally {
      span.end();
      record((performance.now() - begin) / 1000, named.stage);
    }
  });
}

function computeStage<T>(tracer: Tracer, record: Record, stage: Stage, run: () => T): T {
  const begin = performance.now();
  return tracer.startActiveSpan(stage, (span: Span) => {
    try {
      return run();
    } finally {
      span.end();
      record((performance.now() - begin) / 1000, stage);
    }
  });
}
