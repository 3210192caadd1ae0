import type { AgentSettings } from "../config.ts";
import { monotonicSeconds, sleep } from "../scrape/schedule.ts";
import { driverPresent } from "./driver.ts";
import { MIN_WINDOW_SECONDS } from "./gpm-window.ts";
import type { Unusable } from "./process-messages.ts";
import { readerProgram } from "./program.ts";
import type { GpusReading } from "./reading.ts";
import { type ReadOutcome, createReaderSupervisor } from "./supervisor.ts";

/** What one look through a reader showed; "unseen" means that nothing here even looks like it, and nothing was started. */
export type ReaderProbe =
  | { readonly state: "read"; readonly reading: GpusReading }
  | { readonly state: "failed"; readonly error: string; readonly unusable?: Unusable }
  | { readonly state: "unseen" };

/** Reads every GPU twice, in a process of its own as the agent does, and ends that process. */
export async function probeNvml(settings: AgentSettings): Promise<ReaderProbe> {
  if (settings.gpuReader === "auto" && !driverPresent(settings.nvmlLibrary)) return { state: "unseen" };
  return probe("nvml", settings, MIN_WINDOW_SECONDS * 1.5);
}

/** Counters of the profiling module need two looks of the host engine, which come once per interval. */
export async function probeDcgm(settings: AgentSettings): Promise<ReaderProbe> {
  if (settings.gpuReader === "auto" && settings.dcgmHost === undefined) return { state: "unseen" };
  return probe("dcgm", settings, settings.gpuInterval * 2.5);
}

async function probe(reader: "nvml" | "dcgm", settings: AgentSettings, window: number): Promise<ReaderProbe> {
  const supervisor = createReaderSupervisor({
    ...readerProgram(reader, settings),
    ...{ clock: monotonicSeconds, restarted: () => undefined },
  });
  try {
    const first = await supervisor.read();
    if (first.ok) await sleep(window, new AbortController().signal);
    return seen(first.ok ? await supervisor.read() : first);
  } finally {
    supervisor.close();
  }
}

function seen(outcome: ReadOutcome): ReaderProbe {
  if (outcome.ok) return { state: "read", reading: outcome.reading };
  return { state: "failed", error: outcome.error, ...(outcome.unusable !== undefined && { unusable: outcome.unusable }) };
}
