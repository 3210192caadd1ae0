import type { AgentSettings } from "../config.ts";
import { everyBeat, monotonicSeconds, phaseOf } from "../scrape/schedule.ts";
import type { Watchlist } from "../scrape/watchlist.ts";
import { createGpuChoice } from "./choice.ts";
import { driverPresent } from "./driver.ts";
import { type ProcessReader, createProcessReader } from "./process-reader.ts";
import { readerProgram } from "./program.ts";
import type { GpuReader } from "./reader.ts";
import { type RestartReason, createReaderSupervisor } from "./supervisor.ts";

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

/** This node's GPUs: the readers with processes of their own, each with its own beat, the pages of the watchlist, and the choice between them. */
export function createGpus(options: GpusOptions): Gpus {
  const { settings, watchlist, now } = options;
  const reader = (target: "nvml" | "dcgm"): ProcessReader => {
    const supervisor = createReaderSupervisor({
      ...readerProgram(target, settings),
      ...{ clock: monotonicSeconds, restarted: options.restarted },
    });
    return createProcessReader({ target, supervisor, now, clock: monotonicSeconds, scraped: options.scraped });
  };
  const [nvml, dcgm] = [reader("nvml"), reader("dcgm")];
  const choice = createGpuChoice(settings.gpuReader, {
    ...{ nvml, dcgm, dcgmNamed: settings.dcgmHost !== undefined },
    driverPresent: () => driverPresent(settings.nvmlLibrary),
  });
  watchlist.readGpuPages(choice.wantsPages());

  const read = async (one: ProcessReader, wanted: (pages: number) => boolean): Promise<void> => {
    if (!wanted(watchlist.gpus().length)) return;
    try {
      await one.scrape();
    } catch (cause) {
      options.onBug(cause);
    }
    watchlist.readGpuPages(choice.wantsPages());
  };

  return {
    readers: () => choice.readers(watchlist.gpus()),
    takeCost() {
      const costs = [nvml.takeCost(), dcgm.takeCost()];
      const sum = (name: "cpuSeconds" | "privateBytes"): number => costs.reduce((total, cost) => total + cost[name], 0);
      return { cpuSeconds: sum("cpuSeconds"), privateBytes: sum("privateBytes") };
    },
    async run(signal) {
      const closing = new Promise<void>((resolve) =>
        signal.addEventListener(
          "abort",
          () => {
            nvml.close();
            dcgm.close();
            resolve();
          },
          { once: true },
        ),
      );
      const period = settings.gpuInterval;
      const beat = (one: ProcessReader, wanted: (pages: number) => boolean): Promise<void> =>
        everyBeat({ period, phase: phaseOf(one.target, period), origin: options.origin }, signal, () => read(one, wanted));
      // A read that hangs when the agent stops is not waited for.
      await Promise.race([closing, Promise.all([beat(nvml, choice.wantsNvml), beat(dcgm, choice.wantsDcgm)])]);
    },
  };
}
