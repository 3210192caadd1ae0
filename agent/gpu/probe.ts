import type { AgentSettings } from "../config.ts";
import { monotonicSeconds, sleep } from "../scrape/schedule.ts";
import { driverPresent } from "./driver.ts";
import { MIN_WINDOW_SECONDS } from "./gpm-window.ts";
import { findNvmlProgram } from "./nvml-program.ts";
import type { Unusable } from "./process-messages.ts";
import type { NvmlReading } from "./reading.ts";
import { createNvmlSupervisor } from "./supervisor.ts";

/** What one look through NVML showed; "unseen" means that nothing here even looks like a driver, and nothing was started. */
export type NvmlProbe =
  | { readonly state: "read"; readonly reading: NvmlReading }
  | { readonly state: "failed"; readonly error: string; readonly unusable?: Unusable }
  | { readonly state: "unseen" };

const START_LIMIT = 60;
const READ_LIMIT = 10;

/** Reads every GPU twice, in a process of its own as the agent does, and ends that process. */
export async function probeNvml(settings: AgentSettings): Promise<NvmlProbe> {
  if (settings.gpuReader === "auto" && !driverPresent(settings.nvmlLibrary)) return { state: "unseen" };
  const supervisor = createNvmlSupervisor({
    program: findNvmlProgram(settings.nvmlProgram),
    ...{ library: settings.nvmlLibrary, proc: settings.procPath, clock: monotonicSeconds },
    ...{ startLimit: START_LIMIT, readLimit: READ_LIMIT, restarted: () => undefined },
  });
  try {
    const first = await supervisor.read();
    if (first.ok) await sleep(MIN_WINDOW_SECONDS * 1.5, new AbortController().signal);
    const outcome = first.ok ? await supervisor.read() : first;
    if (outcome.ok) return { state: "read", reading: outcome.reading };
    return { state: "failed", error: outcome.error, ...(outcome.unusable !== undefined && { unusable: outcome.unusable }) };
  } finally {
    supervisor.close();
  }
}
