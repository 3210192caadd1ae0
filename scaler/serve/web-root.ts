import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The page's files: beside the bundle or its chunks (dist/web), or, run from sources, in the repository's dist/web. */
export function defaultWebRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, "web"), join(here, "..", "web"), join(here, "..", "..", "dist", "web")];
  return candidates.find((path) => existsSync(join(path, "page.js"))) ?? join(here, "web");
}
