import type { GpuHolders } from "../core/kubelet/gpu-holders.ts";
import { type NodeReport, PROTOCOL_VERSION, type SourceReport } from "../wire/messages.ts";
import type { GpuReader } from "./gpu/reader.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { SpanIntake } from "./receive/span-intake.ts";
import { monotonicSeconds } from "./scrape/schedule.ts";
import type { Watchlist } from "./scrape/watchlist.ts";
import { type GpuEvents, gpuReports } from "./summarize/gpus.ts";
import { toMessage } from "./summarize/fit.ts";
import { kvPathAt, kvPathReport, observeKvPath } from "./summarize/kv-path.ts";
import { nicReports } from "./summarize/nics.ts";
import type { NicReader } from "./nic/reader.ts";
import { poolReports } from "./summarize/pools.ts";
import { sourceReport } from "./summarize/sources.ts";
import { cpuSeconds } from "./telemetry.ts";

export interface ReporterOptions {
  readonly node: string;
  readonly boot: string;
  readonly now: () => number;
  readonly watchlist: Watchlist;
  readonly intake: SpanIntake;
  readonly host: () => NodeReport["host"];
  /** The readers that speak for the node's GPUs. */
  readonly gpus: () => readonly GpuReader[];
  /** Who was given which GPU, as far as the kubelet tells. */
  readonly holders: () => GpuHolders;
  readonly nics: Pick<NicReader, "latest" | "take">;
  /** What child processes cost since the last call. */
  readonly childCost: () => { readonly cpuSeconds: number; readonly privateBytes: number };
  readonly metrics: AgentMetrics;
  /** Sources other than the scraped ones, with their health. */
  readonly otherSources: (now: number) => readonly SourceReport[];
  readonly reportsDropped: () => number;
  send(parcel: { readonly seq: number; readonly text: string }): void;
  onBug(cause: unknown): void;
}

/** Takes what happened since the last call out of every part, and makes it one report: sent, and shown on /metrics. */
export function createReporter(options: ReporterOptions): () => void {
  let seq = 0;
  let lastAt = monotonicSeconds();
  let lastCpu = cpuSeconds();
  let kvPath = kvPathAt(options.now());

  const build = (): { readonly report: NodeReport; readonly events: readonly GpuEvents[] } => {
    const { node, boot, watchlist, intake, host } = options;
    const now = options.now();
    const at = monotonicSeconds();
    const cpu = cpuSeconds();
    const spans = intake.take();
    const replicas = watchlist.engines().map((e) => ({ scraper: e, state: e.take() }));
    const readers = options.gpus();
    const gpus = readers.flatMap((g) => g.take());
    const child = options.childCost();
    const window = options.nics.take();
    const report: NodeReport = {
      type: "report",
      v: PROTOCOL_VERSION,
      node,
      boot,
      seq: seq++,
      at: now,
      interval: at - lastAt,
      pools: poolReports(
        replicas.map((r) => r.state),
        watchlist.takeDeparted(),
        spans.pools,
        now,
      ),
      gpus: gpuReports(gpus, watchlist.targets(), now, options.holders()),
      nics: nicReports(options.nics.latest(), window, at),
      requests: [...spans.requests],
      requestsDropped: spans.requestsDropped,
      sources: [
        ...options.otherSources(now),
        ...replicas.map(({ scraper, state }) =>
          sourceReport("engine", `${state.target.namespace}/${state.target.pod}`, scraper.health(), now),
        ),
        ...readers.map((g) => sourceReport("gpu", g.target, g.health(), now)),
      ],
      spans: { received: spans.received, dropped: spans.dropped, ...(spans.sampled < 1 && { sampled: spans.sampled }) },
      host: host(),
      agent: {
        cpuSeconds: Math.max(0, cpu - lastCpu) + child.cpuSeconds,
        rssBytes: process.memoryUsage.rss() + child.privateBytes,
        reportsDropped: options.reportsDropped(),
      },
    };
    lastAt = at;
    lastCpu = cpu;
    kvPath = observeKvPath(kvPath, report, window, now);
    const path = kvPathReport(kvPath, now);
    return { report: path === undefined ? report : withKvPath(report, path), events: gpus.map((g) => g.events) };
  };

  return () => {
    const { report, events } = build();
    options.metrics.apply(report, events);
    const message = toMessage(report);
    if (message.ok) options.send({ seq: report.seq, text: message.value.text });
    else options.onBug(new Error(`report ${report.seq} cannot be sent: ${message.error}`));
  };
}

/** The host's network rates are the path's plain network: one look at the interfaces serves both. */
function withKvPath(report: NodeReport, kvPath: NonNullable<NodeReport["kvPath"]>): NodeReport {
  const { networkReceive, networkTransmit } = kvPath.rates;
  const host = {
    ...report.host,
    ...(networkReceive !== undefined && { receiveBytesPerSecond: networkReceive }),
    ...(networkTransmit !== undefined && { transmitBytesPerSecond: networkTransmit }),
  };
  return { ...report, host, kvPath };
}
