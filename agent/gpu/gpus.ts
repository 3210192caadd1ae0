import type { AgentSettings } from "../config.ts";
import { everyBeat, monotonicSeconds, phaseOf } from "../scrape/schedule.ts";
import type { Watchlist } from "../scrape/watchlist.ts";
import { createGpuChoice } from "./choice.ts";
import { driverPresent } from "./driver.ts";
import { findNvmlProgram } from "./nvml-program.ts";
import { createNvmlReader } from "./nvml-reader.ts";
import type { GpuReader } from "./reader.ts";
import { type RestartReason, createNvmlSupervisor } from "./supervisor.ts";

export interface GpusOptions {
  readonly settings: AgentSettings;
  readonly watchlist: Watchlist;
  /** Unix seconds. */
  readonly now: () => number;
  /** Monotonic seconds of the agent's grid point 0. */
  readonly origin: number;
  scraped(source: "gpu", seconds: number, bytes: number): void;
  restarted(reason: RestartReason): void;
  onBug(cause: unknown): void;
}

export interface Gpus {
  readers(): readonly GpuReader[];
  takeCost(): { readonly cpuSeconds: number; readonly privateBytes: number };
  /** Reads until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/** nvmlInit of eight GPUs whose driver is not kept loaded takes up to half a minute. */
const START_LIMIT = 60;
/** A read takes milliseconds per GPU; a driver that is resetting a GPU can take seconds. */
const READ_LIMIT = 10;

/** This node's GPUs: the NVML reader with its own beat, the pages of the watchlist, and the choice between them. */
export function createGpus(options: GpusOptions): Gpus {
  const { settings, watchlist, now } = options;
  const supervisor = createNvmlSupervisor({
    program: findNvmlProgram(settings.nvmlProgram),
    ...{ library: settings.nvmlLibrary, proc: settings.procPath, clock: monotonicSeconds },
    ...{ startLimit: START_LIMIT, readLimit: READ_LIMIT, restarted: options.restarted },
  });
  const nvml = createNvmlReader({ supervisor, now, clock: monotonicSeconds, scraped: options.scraped });
  const choice = createGpuChoice(settings.gpuReader, nvml, () => driverPresent(settings.nvmlLibrary));
  watchlist.readGpuPages(choice.wantsPages());

  const beat = async (): Promise<void> => {
    if (!choice.wantsNvml(watchlist.gpus().length)) return;
    try {
      await nvml.scrape();
    } catch (cause) {
      options.onBug(cause);
    }
    watchlist.readGpuPages(choice.wantsPages());
  };

  return {
    readers: () => choice.readers(watchlist.gpus()),
    takeCost: nvml.takeCost,
    async run(signal) {
      const closing = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(nvml.close()), { once: true }));
      const period = settings.gpuInterval;
      // A read that hangs when the agent stops is not waited for.
      await Promise.race([closing, everyBeat({ period, phase: phaseOf("nvml", period), origin: options.origin }, signal, beat)]);
    },
  };
}
