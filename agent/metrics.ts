import type { NodeReport } from "../wire/messages.ts";
import type { WatchRestart } from "./discover/pod-watch.ts";
import { FORWARD_DROP_REASONS, type ForwardDropReason } from "./receive/forwarder.ts";
import { SPAN_DROP_REASONS, type SpanDropReason, type Transport } from "./receive/span-intake.ts";
import { createGpuMetrics } from "./metrics-gpus.ts";
import { createNicMetrics } from "./metrics-nics.ts";
import { createPoolMetrics } from "./metrics-pools.ts";
import { createMetricFactory } from "./metrics-registry.ts";
import type { RestartReason } from "./gpu/supervisor.ts";
import type { GpuEvents } from "./summarize/gpus.ts";

export interface AgentMetrics {
  /** Counts this report; what it says of the present is shown until the next. */
  apply(report: NodeReport, events: readonly GpuEvents[]): void;
  spansReceived(transport: Transport, spans: number): void;
  spansDropped(reason: SpanDropReason, spans: number): void;
  spansSampledOut(spans: number): void;
  spansForwarded(spans: number): void;
  forwardDropped(reason: ForwardDropReason, spans: number): void;
  /** From now on the page shows how much waits for the downstream collector. */
  watchForwardQueue(bytes: () => number): void;
  reportsAcknowledged(reports: number): void;
  reportsDropped(reports: number): void;
  gpuReaderRestarted(reason: RestartReason): void;
  /** By reason; called only where pods are discovered. */
  podsUnattributed(counts: ReadonlyMap<string, number>): void;
  podWatchRestarted(reason: WatchRestart): void;
  page(): Promise<string>;
}

/** The agent's metrics out of the catalog, prom-client's part; telemetry.ts holds what watches the agent itself. */
export function createAgentMetrics(linkUp: () => boolean): AgentMetrics {
  const factory = createMetricFactory();
  const pools = createPoolMetrics(factory);
  const gpus = createGpuMetrics(factory);
  const nics = createNicMetrics(factory);
  const sourceUp = factory.gauge("fulcrum_source_up");
  const sourceAge = factory.gauge("fulcrum_source_age_seconds");
  const missingSignals = factory.gauge("fulcrum_source_missing_signals");
  const host = {
    memoryUsedBytes: factory.gauge("fulcrum_host_memory_used_bytes"),
    memoryTotalBytes: factory.gauge("fulcrum_host_memory_total_bytes"),
    load1: factory.gauge("fulcrum_host_load1"),
  };
  const received = factory.counter("fulcrum_spans_received_total");
  const dropped = factory.counter("fulcrum_spans_dropped_total");
  const sampledOut = factory.counter("fulcrum_spans_sampled_out_total");
  const sampled = factory.gauge("fulcrum_spans_sampled_ratio");
  const forwarded = factory.counter("fulcrum_spans_forwarded_total");
  const forwardDropped = factory.counter("fulcrum_spans_forward_dropped_total");
  const queueBytes = factory.gauge("fulcrum_forward_queue_bytes");
  let queued: (() => number) | undefined;
  const sent = factory.counter("fulcrum_reports_sent_total");
  const lost = factory.counter("fulcrum_reports_dropped_total");
  const restarts = factory.counter("fulcrum_gpu_reader_restarts_total");
  const unattributed = factory.gauge("fulcrum_agent_pods_unattributed");
  const watchRestarts = factory.counter("fulcrum_agent_pod_watch_restarts_total");
  const link = factory.gauge("fulcrum_link_up");
  // prom-client starts a gauge without labels at 0, which would be a measurement nobody made.
  for (const gauge of [...Object.values(host), sampled, queueBytes]) gauge.remove();
  // From zero, so that the first event is visible as an increase.
  for (const transport of ["grpc", "http"]) received.inc({ transport }, 0);
  for (const reason of SPAN_DROP_REASONS) dropped.inc({ reason }, 0);
  for (const reason of ["crash", "hang", "lost"]) restarts.inc({ reason }, 0);

  // Only when the page is asked for: gauges of fourteen reports out of fifteen would be set for nobody, and prom-client keeps an object for each.
  let latest: NodeReport | undefined;
  const show = (report: NodeReport): void => {
    pools.show(report);
    gpus.show(report);
    nics.show(report);
    sourceUp.reset();
    sourceAge.reset();
    missingSignals.reset();
    for (const { source, target, up, age, missing } of report.sources) {
      sourceUp.set({ source, target }, up ? 1 : 0);
      if (missing !== undefined) missingSignals.set({ source, target }, missing);
      if (age !== undefined) sourceAge.set({ source, target }, age);
    }
    // Without spans there is nothing that a share could be of.
    if (report.spans.received > 0) sampled.set(report.spans.sampled ?? 1);
    else sampled.remove();
    for (const field of ["memoryUsedBytes", "memoryTotalBytes", "load1"] as const) {
      const value = report.host[field];
      if (value === undefined) host[field].remove();
      else host[field].set(value);
    }
  };

  return {
    apply(report, events) {
      pools.count(report);
      gpus.count(report, events);
      nics.count(report);
      // Not its requests: kept for a second they would outlive the young generation, every second anew.
      latest = { ...report, requests: [] };
    },
    spansReceived: (transport, spans) => received.inc({ transport }, spans),
    spansDropped: (reason, spans) => dropped.inc({ reason }, spans),
    spansSampledOut: (spans) => sampledOut.inc(spans),
    spansForwarded: (spans) => forwarded.inc(spans),
    forwardDropped: (reason, spans) => forwardDropped.inc({ reason }, spans),
    watchForwardQueue(bytes) {
      queued = bytes;
      for (const reason of FORWARD_DROP_REASONS) forwardDropped.inc({ reason }, 0);
    },
    reportsAcknowledged: (reports) => sent.inc(reports),
    reportsDropped: (reports) => lost.inc(reports),
    gpuReaderRestarted: (reason) => restarts.inc({ reason }),
    podsUnattributed(counts) {
      for (const [reason, count] of counts) unattributed.set({ reason }, count);
    },
    podWatchRestarted: (reason) => watchRestarts.inc({ reason }),
    page() {
      link.set(linkUp() ? 1 : 0);
      if (queued !== undefined) queueBytes.set(queued());
      if (latest !== undefined) show(latest);
      return factory.registry.metrics();
    },
  };
}
