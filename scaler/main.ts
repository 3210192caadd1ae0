import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import { ok } from "../core/result.ts";
import { openActuator } from "./act/open.ts";
import { openAgentAccess, openPeerAccess } from "./agent-access.ts";
import { DEFAULT_PRIOR, parsePrior } from "./config-prior.ts";
import { ScalerError, type ScalerSettings } from "./config.ts";
import type { Prior } from "./decide/controller.types.ts";
import type { Standing } from "./kube/lease.ts";
import type { SharedState } from "./kube/state-map.ts";
import { emptyFleet } from "./intake/fleet-view.ts";
import { createRefusalLog } from "./intake/refusal-log.ts";
import { createIntakeServer, type IntakeOptions, type IntakeServer } from "./intake/server.ts";
import { openJournal, type Journal } from "./journal/append.ts";
import type { Log } from "./log.ts";
import { noCheckpointer, openCheckpointer, type Checkpointer } from "./loop/checkpointer.ts";
import { followPolicies, type FollowedPolicies } from "./loop/follow-policies.ts";
import { decisionOf, frameOf } from "./loop/frame.ts";
import { followJournal, type FollowOptions } from "./loop/follow-journal.ts";
import type { LeaderDoor } from "./loop/leader-journal.ts";
import { fulcrumKit, type ControllerKit } from "./loop/kit.ts";
import { startRunner, type RunnerDeps } from "./loop/runner.ts";
import { createScaler, type Scaler } from "./loop/scaler.ts";
import { shareCheckpoints } from "./loop/shared-checkpointer.ts";
import type { TickView } from "./loop/tick-view.ts";
import { overrideFile, overridesInMemory } from "./overrides/file.ts";
import type { OverridePlace } from "./overrides/place.ts";
import { openOverrides } from "./overrides/store.ts";
import { readAsset } from "./serve/assets.ts";
import { createHttpServer } from "./serve/http.ts";
import { openKeda } from "./serve/keda/open.ts";
import type { KedaServer } from "./serve/keda/server.ts";
import { JOURNAL_PATH, journalReply } from "./serve/journal.ts";
import { createLiveFeed } from "./serve/live.ts";
import { createScalerMetrics, type ScalerMetrics } from "./serve/metrics.ts";
import { openReaders } from "./serve/read-access.ts";
import { createRoutes } from "./serve/routes.ts";
import { openTls } from "./serve/tls-settings.ts";
import { defaultWebRoot } from "./serve/web-root.ts";
import { openWriters } from "./serve/write-access.ts";
import { createWrites } from "./serve/writes.ts";
import { createHistory } from "./state/history.ts";
import { createTelemetry } from "./telemetry.ts";
import { LEARNED_SHAPE } from "./learn/learn.ts";
import { VERSION } from "./version.ts";

const clock = (): number => Date.now() / 1000;
/** More than the history holds: the page gets all of it. */
const ALL_FRAMES = 1_000_000;
const SNAPSHOT_DECISIONS = 200;
/** What another version learned is not read, an earlier shape of the same is. */
const STATE_VERSION = `${VERSION} shape ${LEARNED_SHAPE}`;

export interface ScalerHooks {
  /** Called once it listens; the port differs from the settings where those say 0. */
  readonly onListening?: (port: number) => void;
  /** Called before, once KEDA's port listens. */
  readonly onKedaListening?: (port: number) => void;
}

/**
 * The scaler process: policies in, agents connected, decisions out. Rejects with a ScalerError when it cannot start; resolves
 * after `signal` aborts and everything is closed.
 */
export async function runScaler(settings: ScalerSettings, signal: AbortSignal, log: Log, hooks: ScalerHooks = {}): Promise<void> {
  return runWith(fulcrumKit, settings, signal, log, hooks);
}

/** The same with any controller behind the door. */
export async function runWith<State>(
  kit: ControllerKit<State>,
  settings: ScalerSettings,
  signal: AbortSignal,
  log: Log,
  hooks: ScalerHooks = {},
): Promise<void> {
  if (settings.policies === undefined && settings.policyObjects === "none")
    throw new ScalerError(
      "bad-settings",
      "nothing says what to scale: set policies (FULCRUM_POLICIES) to a file or directory, or policyObjects (FULCRUM_POLICY_OBJECTS) to all",
    );
  const prior = await loadPrior(settings);
  const metrics = createScalerMetrics();
  const history = createHistory(settings.history);
  const cleanups: (() => Promise<void> | void)[] = [];
  try {
    const access = await openAgentAccess(settings, log);
    cleanups.push(access.close);
    const peers = await openPeerAccess(settings);
    cleanups.push(peers.close);
    const writers = await openWriters(settings, log);
    cleanups.push(writers.close);
    const readers = await openReaders(settings, {
      ...{ writers: writers.identify, onRefused: metrics.readRefused, log },
      clock: () => performance.now() / 1000,
    });
    cleanups.push(readers.close);
    const tls = await openTls(settings, log);
    cleanups.push(tls.close);
    const telemetry = createTelemetry({ endpoint: process.env["OTEL_EXPORTER_OTLP_ENDPOINT"], version: VERSION });
    cleanups.push(() => telemetry.close());
    const onDisk = await keepCheckpoint(settings, log);
    cleanups.push(() => onDisk.flush());
    // The journal asks for start records only when it turns a file, long after the scaler stands.
    const journal = await keepJournal(settings, log, () => scaler.starts());
    cleanups.push(() => journal?.close());

    const keda: { server: KedaServer | undefined } = { server: undefined };
    const followed: { policies: FollowedPolicies | undefined } = { policies: undefined };
    const onTick = (view: TickView): void => {
      const [frame, decision] = [frameOf(view), decisionOf(view)];
      metrics.tick(view);
      history.addFrame(frame);
      history.addDecision(decision);
      keda.server?.decided();
      reporter?.tick(view);
      live.broadcast({ type: "frame", frame, state: scaler.state() });
      live.broadcast({ type: "decision", decision });
    };
    let onStanding: (standing: Standing) => void = metrics.standing;
    const here: { address: string | undefined } = { address: undefined };
    const acting = await openActuator(
      settings,
      (standing) => onStanding(standing),
      () => here.address,
      log,
    );
    if (!acting.ok) throw new ScalerError("bad-settings", acting.error);
    cleanups.push(() => acting.value.stop());
    const shareOn = (own: Checkpointer, shared: SharedState): Checkpointer => {
      const leading = (): boolean => acting.value.standing() === "leading";
      const both = shareCheckpoints({ own, shared, version: STATE_VERSION, leading, onWrite: metrics.stateLeft, log });
      cleanups.push(() => both.stop());
      return both;
    };
    const overrides = await openOverrides({
      place: acting.value.overrides ?? overridesOnDisk(settings),
      clock,
      log,
      onNews(news) {
        log.warn(news, "override: an operator's word on a policy's mode has changed");
        // Where the leader's journal is copied here, it says so already.
        if (settings.advertise === undefined || acting.value.leaderAddress() === undefined)
          void journal?.append({ kind: "override", ...news });
        live.broadcast({ type: "state", state: scaler.state() });
      },
    });
    cleanups.push(() => overrides.close());
    const checkpointer = acting.value.shared === undefined ? onDisk : shareOn(onDisk, acting.value.shared);
    const reporter = acting.value.policies?.report({ onStatus: metrics.statusWritten, onEvent: metrics.eventTold });
    cleanups.push(() => reporter?.stop());
    const standby = (): boolean => acting.value.standing() === "standby";
    const deps: RunnerDeps<State> = {
      kit,
      prior,
      actuator: acting.value.actuator,
      standby,
      journal,
      checkpointer,
      overrides,
      telemetry,
      clock,
      fleet: () => scaler.fleet(),
      onTick,
      log,
    };
    const scaler = createScaler({
      startRunner: (name, policy) => startRunner(name, policy, deps),
      clock,
      log,
      onFolded: metrics.reportFolded,
      onStitched: () => metrics.stitched(1),
      onExplained: metrics.explained,
      onLinks: metrics.links,
      onDropped: metrics.dropPolicy,
      leader: acting.value.leader,
      problems: () => followed.policies?.problems() ?? [],
      overrides: overrides.current,
    });
    const live = createLiveFeed({
      snapshot: () => ({
        type: "snapshot",
        state: scaler.state(),
        history: history.frames(ALL_FRAMES),
        decisions: history.decisions(SNAPSHOT_DECISIONS),
      }),
    });
    const intake = intakeOf(scaler, metrics, { maxAgents: settings.maxAgents, admit: access.admit, standby }, log);
    onStanding = (standing) => {
      metrics.standing(standing);
      live.broadcast({ type: "state", state: scaler.state() });
      if (standing === "leading") {
        journal?.turn();
        scaler.takeOver();
      }
      if (standing !== "standby") return;
      // Agents and figures are the leader's from now on.
      intake.dismiss();
      keda.server?.dismiss();
      for (const { policy } of scaler.runners()) metrics.dropPolicy(policy);
    };
    // Agents that were sent away report to the leader: here their age would only grow.
    metrics.onCollect(() => ({ agents: intake.agents(), fleet: standby() ? emptyFleet : scaler.fleet(), now: clock() }));
    cleanups.push(() => scaler.stop());
    const closeSockets = (): void => {
      intake.close();
      live.close();
    };
    cleanups.push(closeSockets);
    // A policy that starts now goes on from what the last leader left.
    await checkpointer.renew();
    followed.policies = await followPolicies({
      path: settings.policies,
      watchObjects: acting.value.policies?.watch,
      setPolicies: scaler.setPolicies,
      onJudged: (judged) => reporter?.judged(judged),
      onValidity: metrics.policyFile,
      log,
    });
    cleanups.push(() => followed.policies?.close());

    keda.server = await openKeda(settings, { scaler, overrides, standby, tls: tls.pair(), metrics, clock, log });
    cleanups.push(() => keda.server?.close());
    if (keda.server !== undefined) hooks.onKedaListening?.(keda.server.port);

    const webRoot = settings.webRoot ?? defaultWebRoot();
    const server = createHttpServer({
      routes: createRoutes({
        ...{ scaler, history, metrics: async () => (await metrics.page()) + (await telemetry.page()) },
        // With files alone an empty directory is a mistake; a cluster may hold no policy yet.
        overrides: () => ({ overrides: overrides.current(), changes: overrides.changes() }),
        journal: (query) => journalReply(settings.journal, query),
        policiesKnown: () => acting.value.policies !== undefined && (followed.policies?.known() ?? false),
      }),
      admit: async (path, request) =>
        path === JOURNAL_PATH && (await peers.admits(request.headers.authorization)) ? ok({}) : readers.admit(path, request),
      write: createWrites({
        ...{ identify: writers.identify, policies: scaler.runners, overrides: overrides.current, change: overrides.change, clock },
        onWrite: metrics.wrote,
      }),
      fallback: (path) => readAsset(webRoot, path),
      upgrades: new Map([
        ["/agents", intake.handleUpgrade],
        ["/live", readers.guard("/live", live.handleUpgrade)],
      ]),
      log,
      tls: tls.serving(),
    });
    tls.onChange(server);
    const port = await listen(server, settings);
    // The server's close waits for its sockets, so those go first; closing them twice does no harm.
    cleanups.push(() => close(server), closeSockets);
    here.address = addressOf(settings, port);
    const theirs = (): string | undefined => (acting.value.leaderAddress() === here.address ? undefined : acting.value.leaderAddress());
    if (here.address !== undefined) cleanups.push(keepUp(settings, { theirs, onRound: metrics.journalCopied, log }));
    log.info({ host: settings.host, port, version: VERSION }, "scaler: listening");
    hooks.onListening?.(port);
    await aborted(signal);
    log.info({}, "scaler: stopping");
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}

async function loadPrior(settings: ScalerSettings): Promise<Prior> {
  if (settings.prior === undefined) return DEFAULT_PRIOR;
  const text = await readFile(settings.prior, "utf8").catch((error: unknown) => {
    throw new ScalerError("bad-prior", `${settings.prior}: cannot be read: ${messageOf(error)}`);
  });
  const prior = parsePrior(text, settings.prior);
  if (!prior.ok) throw new ScalerError("bad-prior", prior.error);
  return prior.value;
}

async function keepCheckpoint({ checkpoint, journal }: ScalerSettings, log: Log): Promise<Checkpointer> {
  const path = checkpoint ?? (journal === undefined ? undefined : join(journal, "checkpoint.json"));
  return path === undefined ? noCheckpointer : openCheckpointer(path, STATE_VERSION, log);
}

interface KeepUpParts extends Pick<FollowOptions, "onRound" | "log"> {
  /** Where the other scaler is, while that one leads. */
  readonly theirs: () => string | undefined;
}

/** Copies the leader's journal while another one leads, where a journal is kept; answers with what ends it. */
function keepUp(settings: ScalerSettings, { theirs, ...rest }: KeepUpParts): () => Promise<void> {
  const { journal, journalMaxFiles: maxFiles, certificateName, peerTokenFile } = settings;
  if (journal === undefined) return async () => undefined;
  // The kubelet renews it. Without one it is asked as anybody may.
  const token = async (): Promise<string | undefined> =>
    peerTokenFile === undefined ? undefined : (await readFile(peerTokenFile, "utf8").catch(() => "")).trim() || undefined;
  const leader = (): LeaderDoor | undefined => {
    const address = theirs();
    return address === undefined ? undefined : { address, certificateName, token };
  };
  return followJournal({ directory: journal, maxFiles, leader, ...rest }).stop;
}

/** What this scaler tells the other one of where it is. */
function addressOf({ advertise, tlsCert }: ScalerSettings, port: number): string | undefined {
  if (advertise === undefined) return undefined;
  // An IPv6 address of a pod comes without its brackets.
  const host = advertise.includes(":") && !advertise.startsWith("[") ? `[${advertise}]` : advertise;
  return `${tlsCert === undefined ? "http" : "https"}://${host}:${port}`;
}

/** Without a disk to keep them on, a restart forgets. */
function overridesOnDisk({ checkpoint, journal }: ScalerSettings): OverridePlace {
  const directory = journal ?? (checkpoint === undefined ? undefined : dirname(checkpoint));
  return directory === undefined ? overridesInMemory : overrideFile(join(directory, "overrides.json"));
}

async function keepJournal(settings: ScalerSettings, log: Log, starts: () => ReturnType<Scaler["starts"]>): Promise<Journal | undefined> {
  if (settings.journal === undefined) return undefined;
  const { journal: directory, journalMaxBytes: maxBytes, journalMaxFiles: maxFiles } = settings;
  return openJournal({ directory, maxBytes, maxFiles, starts, now: clock, log }).catch((error: unknown) => {
    throw new ScalerError("bad-settings", `${directory}: the journal cannot be written: ${messageOf(error)}`);
  });
}

function intakeOf(scaler: Scaler, metrics: ScalerMetrics, options: IntakeOptions, log: Log): IntakeServer {
  const tell = createRefusalLog(log, () => performance.now() / 1000);
  return createIntakeServer(
    {
      foldedSeq: scaler.foldedSeq,
      connected: (node) => scaler.connected(node, true),
      disconnected: (node) => scaler.connected(node, false),
      report: scaler.report,
      refused(code, node, why) {
        metrics.refused(code);
        if (code !== "duplicate") tell(code, node, why);
      },
    },
    options,
  );
}

function listen(server: ReturnType<typeof createHttpServer>, { host, port }: ScalerSettings): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const inUse = "code" in error && error.code === "EADDRINUSE";
      reject(
        inUse
          ? new ScalerError("port-in-use", `port ${port} on ${host} is in use; give another with --port`)
          : new ScalerError("bad-settings", `cannot listen on ${host}:${port}: ${error.message}`),
      );
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function close(server: ReturnType<typeof createHttpServer>): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
