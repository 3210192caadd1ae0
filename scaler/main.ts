import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Actuator } from "./act/actuator.ts";
import { createFleetActuator } from "./act/fleet.ts";
import { createNoActuator } from "./act/none.ts";
import { DEFAULT_PRIOR, parsePrior } from "./config-prior.ts";
import { ScalerError, type ScalerSettings } from "./config.ts";
import type { Prior } from "./decide/controller.types.ts";
import { createIntakeServer } from "./intake/server.ts";
import { openJournal, type Journal } from "./journal/append.ts";
import type { Log } from "./log.ts";
import { noCheckpointer, openCheckpointer } from "./loop/checkpointer.ts";
import { decisionOf, frameOf } from "./loop/frame.ts";
import { fulcrumKit, type ControllerKit } from "./loop/kit.ts";
import { startRunner, type RunnerDeps } from "./loop/runner.ts";
import { createScaler, type Scaler } from "./loop/scaler.ts";
import type { TickView } from "./loop/tick-view.ts";
import { formatProblem } from "./policy/problem.ts";
import { watchPolicies, type PolicyFile, type PolicyWatch } from "./policy/watch.ts";
import { readAsset } from "./serve/assets.ts";
import { createHttpServer } from "./serve/http.ts";
import { createLiveFeed } from "./serve/live.ts";
import { createScalerMetrics, type ScalerMetrics } from "./serve/metrics.ts";
import { createRoutes } from "./serve/routes.ts";
import { createHistory } from "./state/history.ts";
import { createTelemetry } from "./telemetry.ts";
import { VERSION } from "./version.ts";

const clock = (): number => Date.now() / 1000;

export interface ScalerHooks {
  /** Called once it listens, with the port. */
  readonly onListening?: (port: number) => void;
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
  const prior = await loadPrior(settings);
  const metrics = createScalerMetrics();
  const history = createHistory(settings.history);
  const telemetry = createTelemetry({ endpoint: process.env["OTEL_EXPORTER_OTLP_ENDPOINT"], version: VERSION });
  const cleanups: (() => Promise<void> | void)[] = [() => telemetry.close()];
  try {
    const checkpointPath = settings.checkpoint ?? (settings.journal === undefined ? undefined : join(settings.journal, "checkpoint.json"));
    const checkpointer = checkpointPath === undefined ? noCheckpointer : await openCheckpointer(checkpointPath, VERSION, log);
    cleanups.push(() => checkpointer.flush());
    const scalerRef: { scaler?: Scaler } = {};
    const journal = await keepJournal(settings, log, () => scalerRef.scaler?.starts() ?? []);
    if (journal !== undefined) cleanups.push(() => journal.close());

    const live = createLiveFeed({
      snapshot: () => ({ type: "snapshot", state: scaler.state(), history: history.frames(100_000), decisions: history.decisions(200) }),
    });
    const onTick = (view: TickView): void => {
      metrics.tick(view);
      const frame = frameOf(view);
      const decision = decisionOf(view);
      history.addFrame(frame);
      history.addDecision(decision);
      live.broadcast({ type: "frame", frame, state: scaler.state() });
      live.broadcast({ type: "decision", decision });
    };
    const deps: RunnerDeps<State> = {
      kit,
      prior,
      actuator: actuatorOf(settings),
      journal,
      checkpointer,
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
      onDropped: metrics.dropPolicy,
    });
    scalerRef.scaler = scaler;
    const intake = createIntakeServer(
      {
        foldedSeq: scaler.foldedSeq,
        connected: (node) => scaler.connected(node, true),
        disconnected: (node) => scaler.connected(node, false),
        report: scaler.report,
        refused(code, node) {
          metrics.refused(code);
          if (code !== "duplicate") log.warn({ code, node }, "intake: a message was refused");
        },
      },
      { token: settings.token, maxAgents: settings.maxAgents },
    );
    metrics.onCollect(() => ({ agents: intake.agents(), fleet: scaler.fleet(), now: clock() }));

    const webRoot = settings.webRoot ?? defaultWebRoot();
    const server = createHttpServer({
      routes: createRoutes({ scaler, history, metrics: async () => (await metrics.page()) + (await telemetry.page()) }),
      fallback: (path) => readAsset(webRoot, path),
      upgrades: new Map([
        ["/agents", intake.handleUpgrade],
        ["/live", live.handleUpgrade],
      ]),
      log,
    });
    const watch = await loadPolicies(settings, scaler, metrics, log);
    cleanups.push(
      () => scaler.stop(),
      () => watch.close(),
    );
    const port = await listen(server, settings);
    cleanups.push(() => {
      intake.close();
      live.close();
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    });
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
    throw new ScalerError("bad-prior", `${settings.prior}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const prior = parsePrior(text, settings.prior);
  if (!prior.ok) throw new ScalerError("bad-prior", prior.error);
  return prior.value;
}

async function keepJournal(settings: ScalerSettings, log: Log, starts: () => ReturnType<Scaler["starts"]>): Promise<Journal | undefined> {
  if (settings.journal === undefined) return undefined;
  const { journal: directory, journalMaxBytes: maxBytes, journalMaxFiles: maxFiles } = settings;
  return openJournal({ directory, maxBytes, maxFiles, starts, log }).catch((error: unknown) => {
    throw new ScalerError(
      "bad-settings",
      `${directory}: the journal cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
}

function actuatorOf({ fleetUrl }: ScalerSettings): Actuator {
  if (fleetUrl !== undefined) return createFleetActuator(fleetUrl);
  return createNoActuator("no cluster is configured; set fleetUrl (FULCRUM_FLEET_URL) to drive FleetPool targets");
}

/** At the start every policy must be good; later an invalid edit keeps the last good one. */
async function loadPolicies(settings: ScalerSettings, scaler: Scaler, metrics: ScalerMetrics, log: Log): Promise<PolicyWatch> {
  let started = false;
  const onChange = (files: readonly PolicyFile[], changed: readonly PolicyFile[]): void => {
    for (const file of changed) {
      const gone = !files.some((f) => f.file === file.file);
      metrics.policyFile(file.file, gone ? undefined : file.problems.length === 0);
      if (started)
        for (const problem of file.problems) log.error({ problem: formatProblem(problem) }, "policy: an invalid edit is ignored");
    }
    if (started) void scaler.setPolicies(files.flatMap((f) => f.policies));
  };
  const watch = await watchPolicies({
    path: settings.policies,
    onChange,
    onError: (error) => log.warn({ err: error, path: settings.policies }, "policy: cannot be read now"),
  }).catch((error: unknown) => {
    throw new ScalerError("bad-policy", `${settings.policies}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const problems = watch.files().flatMap((file) => file.problems);
  if (problems.length > 0) {
    watch.close();
    throw new ScalerError("bad-policy", problems.map(formatProblem).join("\n"));
  }
  started = true;
  await scaler.setPolicies(watch.files().flatMap((file) => file.policies));
  return watch;
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

/** Beside the bundle (dist/web), or, run from sources, in the repository's dist/web. */
function defaultWebRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, "web"), join(here, "..", "web"), join(here, "..", "dist", "web")];
  return candidates.find((path) => existsSync(join(path, "page.js"))) ?? candidates[0] ?? "web";
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
