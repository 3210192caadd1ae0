import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Gate, verdict } from "./gate.ts";
import { runTool } from "./command.ts";

/** Scripts that write committed files from code; with --check they only say whether the file is what they would write. */
const GENERATORS = [
  "scripts/metrics-docs.ts",
  "scripts/policy-schema.ts",
  "scripts/crd.ts",
  "scripts/prometheus-rule.ts",
  "dashboards/src/main.ts",
];

export const drift: Gate = {
  name: "drift",
  async run(root) {
    const present = GENERATORS.filter((script) => existsSync(join(root, script)));
    const problems: string[] = [];
    for (const script of present) {
      const outcome = await runTool(root, "tsx", [script, "--check"]);
      if (outcome.code !== 0) problems.push(`${script}: ${`${outcome.stdout}${outcome.stderr}`.trim()}`);
    }
    return verdict(present.length, `generators (${present.join(", ")})`, problems);
  },
};
