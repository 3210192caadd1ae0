import { randomUUID } from "node:crypto";
import type { SourceReport } from "../wire/messages.ts";
import type { AgentSettings } from "./config.ts";
import { followTargetSources } from "./discover/follow.ts";
import { createPodDevices } from "./discover/pod-devices.ts";
import { createGpus } from "./gpu/gpus.ts";
import { createHostReader } from "./host.ts";
import { type Link, createLink } from "./link.ts";
import { closeServer, listen } from "./listen.ts";
import type { Log } from "./log.ts";
import { type AgentMetrics, createAgentMetrics } from "./metrics.ts";
import { createReadiness } from "./readiness.ts";
import { createNicReader } from "./nic/reader.ts";
import { type Receivers, openReceivers } from "./receive/receivers.ts";
import type { Forwarder } from "./receive/forwarder.ts";
import { openForwarder, shownAddress } from "./receive/open-forwarder.ts";
import { createSpanIntake } from "./receive/span-intake.ts";
import { createReporter } from "./reporter.ts";
import { createPageFetcher } from "./scrape/fetch.ts";
import { type Health, unknown } from "./scrape/health.ts";
import { everyBeat, monotonicSeconds } from "./scrape/schedule.ts";
import { createWatchlist } from "./scrape/watchlist.ts";
import { createStatusServer } from "./serve.ts";
import { sourceReport } from "./summarize/sources.ts";
import { createSelfTelemetry } from "./telemetry.ts";
import { createCertificateSource } from "./client-certificate.ts";
import { createTokenSource } from "./token.ts";
import { VERSION } from "./version.ts";

/** Ports in use, which differ from the settings where those say 0. */
export interface AgentPorts {
  readonly metrics: number;
  readonly otlpHttp: number | undefined;
  readonly otlpGrpc: number | undefined;
}

/** The last report goes out when everything else has stopped; a scaler that does not take it by then will not. */
const FLUSH_SECONDS = 1;

const now = (): number => Date.now() / 1000;

/**
 * Runs one agent until aborted. Rejects with an AgentError when a port cannot be had; whatever happens later (targets,
 * scaler or engines away, garbage from any of them) is reported and outlived.
 */
export async function runAgent(
  settings: AgentSettings,
  signal: AbortSignal,
  log: Log,
  onListening?: (ports: AgentPorts) => void,
): Promise<void> {
  const { node, host, interval: period } = settings;
  const boot = randomUUID();
  const origin = monotonicSeconds();
  const onBug = (cause: unknown): void => log.error({ err: cause }, "a bug in the agent; it goes on");

  // Also ends what has started when a later port cannot be had.
  const failed = new AbortController();
  const running = AbortSignal.any([signal, failed.signal]);

  const telemetry = createSelfTelemetry();
  const fetcher = createPageFetcher(settings.scrapeTimeout, settings.maxPageBytes);
  const watchlist = createWatchlist({
    ...{ fetcher, now, agentStartedAt: now(), ...telemetry.scrapes },
    ...{ period, origin, signal: running, onBug },
  });
  const { link, metrics, reportsDropped } = createLinkWithMetrics(settings, boot, log);
  const intake = createSpanIntake({
    ...{ targets: watchlist.targets, now, maxSpansPerSecond: settings.maxSpansPerSecond },
    ...{ received: metrics.spansReceived, dropped: metrics.spansDropped, sampledOut: metrics.spansSampledOut },
  });
  const gpus = createGpus({
    ...{ settings, watchlist, now, origin, scraped: telemetry.scrapes.scraped, restarted: metrics.gpuReaderRestarted, onBug },
  });
  const podDevices = createPodDevices({ settings, now, origin, onBug });
  const hostReader = createHostReader(now);
  const nics = createNicReader({ sysRoot: settings.sysPath, procRoot: settings.procPath, now, interval: period });
  const targets = followTargetSources({
    ...{ settings, signal: running, log, now, random: Math.random, onTargets: watchlist.follow },
    ...{ unattributed: metrics.podsUnattributed, watchRestarted: metrics.podWatchRestarted },
  });

  const status = createStatusServer({
    metrics: async () => `${await metrics.page()}\n${await telemetry.page()}`,
    targets: targets.page,
    waitingFor: createReadiness(targets.health, () => [...watchlist.engines(), ...gpus.readers()]),
    onProblem: onBug,
  });
  const port = await listen(status, host, settings.port, "port");
  // Before the receivers open: spans that came before the targets are known could not be attributed.
  const following = targets.run().catch(onBug);
  await targets.firstLook();
  const forward = await createForwarding(settings, metrics);
  const sink = { intake, onProblem: onBug, ...(forward && { forward }) };
  const receivers = await openReceivers(settings, sink).catch(async (cause: unknown) => {
    failed.abort();
    await closeServer(status);
    throw cause;
  });
  const ports: AgentPorts = { metrics: port, otlpHttp: receivers.httpPort, otlpGrpc: receivers.grpcPort };
  log.info({ node, boot, version: VERSION, ports }, "agent started");
  onListening?.(ports);

  const report = createReporter({
    ...{ node, boot, now, watchlist, intake, metrics, reportsDropped, onBug, nics },
    host: hostReader.latest,
    gpus: gpus.readers,
    holders: podDevices.holders,
    childCost: gpus.takeCost,
    otherSources: (at) => [
      ...targets.sources(at),
      ...podDevices.sources(at),
      sourceReport("host", node, hostReader.health(), at),
      ...adapterSource(node, nics.health(), at),
      ...otlpSources(receivers, intake.lastBatch(), at),
      ...downstreamSource(settings.downstreamOtlp, forward, at),
    ],
    send: link.send,
  });
  const linkStop = new AbortController();
  const loops = [
    following,
    link.run(linkStop.signal),
    hostReader.run(running),
    nics.run(running),
    gpus.run(running),
    podDevices.run(running),
  ];
  // The report closes each period; scrapes happen in its first half.
  await everyBeat({ period, phase: 0, origin }, running, report);

  await Promise.all([closeServer(status), receivers.close()]);
  // After the receivers: what they took in while closing is forwarded too.
  await forward?.close(FLUSH_SECONDS);
  report();
  await link.flush(FLUSH_SECONDS);
  linkStop.abort();
  await Promise.all(loops);
  fetcher.close();
  await telemetry.close();
  log.info({ node }, "agent stopped");
}

/** The link counts into the metrics, and the metrics show the link: one of them has to be made before the other. */
function createLinkWithMetrics(
  settings: AgentSettings,
  boot: string,
  log: Log,
): { readonly link: Link; readonly metrics: AgentMetrics; readonly reportsDropped: () => number } {
  let dropped = 0;
  const { scalerUrl: url, node, outboxSize } = settings;
  const token = createTokenSource(settings, log);
  const link = createLink({
    ...{ url, token, certificate: createCertificateSource(settings, log) },
    ...{ node, boot, version: VERSION, outboxSize, log, random: Math.random },
    onAcknowledged: (reports) => metrics.reportsAcknowledged(reports),
    onDropped(reports) {
      dropped += reports;
      metrics.reportsDropped(reports);
    },
  });
  const metrics = createAgentMetrics(link.connected);
  return { link, metrics, reportsDropped: () => dropped };
}

/** An OTLP receiver is up while it listens; its age says when spans last came, and is missing when none ever did. */
const otlpSources = (receivers: Receivers, lastBatch: number | undefined, at: number): SourceReport[] =>
  receivers.addresses.map((target) => ({
    source: "otlp",
    target,
    up: true,
    ...(lastBatch !== undefined && { age: Math.max(0, at - lastBatch) }),
  }));

async function createForwarding(settings: AgentSettings, metrics: AgentMetrics): Promise<Forwarder | undefined> {
  const { downstreamOtlp, downstreamQueueBytes: queueBytes } = settings;
  if (downstreamOtlp === undefined) return undefined;
  const { spansForwarded: forwarded, forwardDropped: dropped } = metrics;
  const forward = await openForwarder(downstreamOtlp, { queueBytes, now, random: Math.random, forwarded, dropped });
  metrics.watchForwardQueue(forward.queuedBytes);
  return forward;
}

/** The RDMA ports, on a node that has some. A host's source, because scalers of before know no other kind for it. */
const adapterSource = (node: string, health: Health | undefined, at: number): SourceReport[] =>
  health === undefined || health.state === "unknown" ? [] : [sourceReport("host", `${node}/rdma`, health, at)];

/** The downstream collector, once it was tried: one that was sent nothing yet is neither up nor down. */
function downstreamSource(address: string | undefined, forward: Forwarder | undefined, at: number): SourceReport[] {
  const health = forward?.health() ?? unknown;
  return address === undefined || health.state === "unknown" ? [] : [sourceReport("otlp", shownAddress(address), health, at)];
}
