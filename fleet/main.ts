import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { listen, serveControl } from "./control.ts";
import type { FleetSettings } from "./config.ts";
import { findEngineScript } from "./engine-script.ts";
import { podPrefix } from "./fleet-config.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import { createTargetsWriter, describeTargets } from "./targets-files.ts";
import { loadWorkload } from "./workload.ts";

/** How often the plant is brought up to the wall clock, its processes hear of it, and GPU exporters sample. */
const STEP_MS = 20;
const FLUSH_MS = 100;
const GPU_TICK_MS = 1_000;
/** Engines that are not up by then come up while the fleet already runs. */
const BOOT_LIMIT_MS = 20_000;

export interface FleetHandle {
  /** Base URL of the control API. */
  readonly url: string;
}

/**
 * Runs the simulated fleet until `signal` aborts: engines as processes, control API, targets files. Rejects
 * with a FleetError when it cannot start or its engines cannot be kept running. `onReady` is told the address
 * once the initial engines serve and the targets files are written.
 */
export async function runFleet(settings: FleetSettings, signal: AbortSignal, onReady?: (handle: FleetHandle) => void): Promise<void> {
  // Pods bring their own program, and are found by what their objects say.
  const pods = settings.engines === "pods";
  const script = pods ? "" : findEngineScript(settings.engineScript);
  const workload = await loadWorkload(settings);
  if (!pods) await mkdir(settings.runDir, { recursive: true });
  if (signal.aborted) return;
  // The port first: no engine process for a fleet that nobody could reach.
  const server = createServer();
  const url = await listen(server, settings.host, settings.port);
  const fleet = createFleet({ settings, workload, script });
  serveControl(server, fleet);
  try {
    await boot(fleet, signal);
    if (!signal.aborted) fleet.start();
    await pace(fleet, url, signal, onReady);
  } finally {
    await stop(fleet, server);
  }
}

async function boot(fleet: Fleet, signal: AbortSignal): Promise<void> {
  const all = Promise.all(fleet.registry.live().map((replica) => replica.process.listening));
  await Promise.race([all, sleep(BOOT_LIMIT_MS, signal)]);
}

/**
 * The pacing loop. It asks the clock each time how far the plant has to go: after a stall of the machine one
 * step catches up with everything that was due.
 */
async function pace(fleet: Fleet, url: string, signal: AbortSignal, onReady?: (handle: FleetHandle) => void): Promise<void> {
  const writer = createTargetsWriter(fleet.settings.runDir);
  const parts = { settings: fleet.settings, clock: fleet.clock, base: url, frontendPod: `${podPrefix(fleet.settings.model)}-frontend-0` };
  let flushedAt = -Infinity;
  let tickedAt = performance.now();
  let tellReady = onReady;
  while (!signal.aborted) {
    const broken = fleet.broken();
    if (broken !== undefined) throw broken;
    const now = performance.now();
    fleet.advance();
    if (now - flushedAt >= FLUSH_MS) {
      flushedAt = now;
      fleet.flush();
    }
    if (now - tickedAt >= GPU_TICK_MS) {
      fleet.tickGpus((now - tickedAt) / 1000);
      tickedAt = now;
    }
    if (fleet.takeChanged()) {
      const files = describeTargets(parts, fleet.registry.live(), fleet.registry.leaving());
      if (fleet.settings.engines !== "pods") await writer.write(files);
      tellReady?.({ url });
      tellReady = undefined;
    }
    await sleep(STEP_MS, signal);
  }
}

async function stop(fleet: Fleet, server: Server): Promise<void> {
  fleet.flush();
  await fleet.registry.stopAll();
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

/** Ends early, without an error, when the signal aborts. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
