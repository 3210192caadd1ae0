import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = process.env["FULCRUM_COMPONENTS"] ?? join(root, "node_modules", ".cache", "fulcrum-components");

/** Programs outside npm that some tests run against, with every name they are installed under. */
const COMPONENTS = {
  prometheus: { variable: "FULCRUM_PROMETHEUS", programs: ["prometheus"] },
  promtool: { variable: "FULCRUM_PROMTOOL", programs: ["promtool"] },
  alertmanager: { variable: "FULCRUM_ALERTMANAGER", programs: ["prometheus-alertmanager", "alertmanager"] },
  amtool: { variable: "FULCRUM_AMTOOL", programs: ["amtool"] },
  chromium: { variable: "FULCRUM_CHROMIUM", programs: ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"] },
  kubectl: { variable: "FULCRUM_KUBECTL", programs: ["kubectl"] },
  openssl: { variable: "FULCRUM_OPENSSL", programs: ["openssl"] },
} as const;

export type Component = keyof typeof COMPONENTS;

/**
 * Path of a program, from its variable, the cache that scripts/setup-components.sh fills, or PATH; undefined when
 * it is nowhere. Tests then skip with {@link needs} in their name, so that the summary can say why.
 */
export function component(name: Component): string | undefined {
  const { variable, programs } = COMPONENTS[name];
  const named = process.env[variable];
  if (named !== undefined && named !== "") return executable(named) ? named : undefined;
  const folders = [join(cache, "usr", "bin"), ...(process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "")];
  for (const program of programs) {
    const found = folders.map((folder) => join(folder, program)).find(executable);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** For the name of a describe or test: `describe.skipIf(!promtool)("rules " + needs("promtool"), …)`. */
export function needs(...names: readonly (Component | "shared data")[]): string {
  return `[needs ${names.join(", ")}]`;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
