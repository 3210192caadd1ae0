import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { overview } from "./overview.ts";

/** Writes the committed dashboard, or with --check compares: a JSON edited by hand would be lost at the next build. */
const file = fileURLToPath(new URL("../fulcrum-overview.json", import.meta.url));
const wanted = `${JSON.stringify(overview(), null, 2)}\n`;

function firstDifference(ours: string, theirs: string): string {
  const [left, right] = [ours.split("\n"), theirs.split("\n")];
  const at = left.findIndex((line, index) => line !== right[index]);
  const line = at === -1 ? left.length : at;
  return `line ${line + 1}\n  committed: ${right[line]?.trim() ?? "(end of file)"}\n  built:     ${left[line]?.trim() ?? "(end of file)"}`;
}

function committed(): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

const mend = "run `npx tsx dashboards/src/main.ts` and commit the result";
if (!process.argv.includes("--check")) {
  writeFileSync(file, wanted);
  console.log(`dashboards/fulcrum-overview.json: written, ${overview().panels?.length ?? 0} panels and rows`);
} else {
  const found = committed();
  if (found === undefined) {
    console.error(`dashboards/fulcrum-overview.json is missing: ${mend}`);
    process.exitCode = 1;
  } else if (found !== wanted) {
    console.error(`dashboards/fulcrum-overview.json differs from its source at ${firstDifference(wanted, found)}\n${mend}`);
    process.exitCode = 1;
  } else {
    console.log(`dashboards/fulcrum-overview.json: as built, ${overview().panels?.length ?? 0} panels and rows`);
  }
}
