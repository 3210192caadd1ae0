import { join } from "node:path";
import { type Gate, type GateResult, verdict } from "./gate.ts";
import { HOME, runTool } from "./command.ts";
import { isTypeScript, listFiles } from "./files.ts";

interface Cruised {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
      readonly cycle?: readonly { readonly name: string }[];
    }[];
  };
}

/** Folders of the import table. A module outside them is not part of the product. */
export const AREAS = ["core", "wire", "agent", "scaler", "sim", "fleet", "web", "cli", "dashboards/src", "alerts", "scripts", "test"];

/**
 * Who may import whom (.dependency-cruiser.cjs). The tool passes in silence when it cannot read TypeScript, so what it
 * saw is compared with what exists.
 */
export const boundaries: Gate = {
  name: "boundaries",
  async run(root) {
    const exist = listFiles(root).filter((path) => isTypeScript(path) && inArea(path));
    const areas = AREAS.filter((area) => exist.some((path) => path.startsWith(`${area}/`)));
    if (areas.length === 0) return verdict(0, "modules", []);
    const config = join(HOME, ".dependency-cruiser.cjs");
    const outcome = await runTool(root, "depcruise", ["--config", config, "--output-type", "json", ...areas]);
    const cruised = parse(outcome.stdout);
    if (cruised === undefined) return verdict(exist.length, "modules", [`depcruise failed: ${outcome.stderr.trim()}`]);
    return judge(exist, cruised);
  },
};

export function judge(exist: readonly string[], cruised: Cruised): GateResult {
  const seen = new Set(cruised.modules.map((module) => module.source));
  const unseen = exist.filter((path) => !seen.has(path)).map((path) => `${path}: not seen by dependency-cruiser`);
  const violations = cruised.summary.violations.map(({ rule, from, to, cycle }) => {
    const way = cycle === undefined ? to : cycle.map((step) => step.name).join(" → ");
    return `${rule.name}: ${from} → ${way}`;
  });
  return verdict(exist.length - unseen.length, "modules", [...new Set(violations), ...unseen]);
}

const inArea = (path: string): boolean => AREAS.some((area) => path.startsWith(`${area}/`));

function parse(text: string): Cruised | undefined {
  try {
    return JSON.parse(text) as Cruised;
  } catch {
    return undefined;
  }
}
