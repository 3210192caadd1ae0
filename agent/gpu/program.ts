import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentSettings } from "../config.ts";
import type { ReaderSupervisorOptions } from "./supervisor.ts";

/** What the supervisor starts for a reader, by the agent's settings. */
export function readerProgram(
  reader: "nvml" | "dcgm",
  settings: AgentSettings,
): Pick<ReaderSupervisorOptions, "name" | "program" | "start" | "startLimit" | "readLimit"> {
  const { procPath: proc } = settings;
  return {
    ...(reader === "nvml"
      ? {
          ...{ name: "NVML", program: findProgram("nvml-process", settings.nvmlProgram) },
          start: { type: "start", library: settings.nvmlLibrary, proc },
        }
      : {
          ...{ name: "DCGM", program: findProgram("dcgm-process", settings.dcgmProgram) },
          start: { type: "start", library: settings.dcgmLibrary, proc, host: dcgmHost(settings), interval: settings.gpuInterval },
        }),
    ...{ startLimit: START_LIMIT, readLimit: READ_LIMIT },
  };
}

/** nv-hostengine listens on the loopback address unless told otherwise. */
export const dcgmHost = (settings: AgentSettings): string => settings.dcgmHost ?? "127.0.0.1:5555";

/** nvmlInit of eight GPUs whose driver is not kept loaded takes up to half a minute. */
const START_LIMIT = 60;
/** A read takes milliseconds per GPU; a driver that is resetting a GPU can take seconds. */
const READ_LIMIT = 10;

/**
 * Where a reader's bundled program is: bundled, this module is dist/fulcrum.mjs or a chunk below dist; from source it is agent/gpu/, and
 * `npm run build` has put the program into dist.
 */
export function findProgram(name: "nvml-process" | "dcgm-process", given: string | undefined): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [here, join(here, ".."), join(here, "..", "..", "dist")].map((dir) => join(dir, `${name}.mjs`));
  // The first place when none has it: starting it then says which file is missing.
  return given ?? places.find((path) => existsSync(path)) ?? join(here, `${name}.mjs`);
}
