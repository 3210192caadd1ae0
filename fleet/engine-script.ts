import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FleetError } from "./config.ts";

/**
 * Where the bundled engine program is. Bundled, this module is dist/fulcrum.mjs or a chunk below dist; from
 * source it is fleet/, and `npm run build` has put the program into dist.
 */
export function findEngineScript(given: string | undefined): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = given === undefined ? [here, join(here, ".."), join(here, "..", "dist")].map((dir) => join(dir, "engine.mjs")) : [given];
  const found = places.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new FleetError("engine-script-missing", `engine program not found at ${places.join(" or ")}: run "npm run build" first`);
}
