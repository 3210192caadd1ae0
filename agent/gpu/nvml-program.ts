import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where the bundled NVML program is: bundled, this module is dist/fulcrum.mjs or a chunk below dist; from source it is agent/gpu/, and
 * `npm run build` has put the program into dist.
 */
export function findNvmlProgram(given: string | undefined): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [here, join(here, ".."), join(here, "..", "..", "dist")].map((dir) => join(dir, "nvml-process.mjs"));
  // The first place when none has it: starting it then says which file is missing.
  return given ?? places.find((path) => existsSync(path)) ?? join(here, "nvml-process.mjs");
}
