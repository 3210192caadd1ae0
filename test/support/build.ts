import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds dist/ once per test run, so that tests can spawn the program as users do. */
export async function setup(): Promise<void> {
  if (process.env["FULCRUM_NO_BUILD"] === "1") return;
  const entries = ["cli/main.ts", "fleet/engine/main.ts", "web/main.tsx", "web/index.html"];
  const absent = entries.filter((entry) => !existsSync(`${root}${entry}`));
  if (absent.length > 0) {
    process.stderr.write(`dist not built, missing: ${absent.join(", ")}\n`);
    return;
  }
  await promisify(execFile)(process.execPath, ["build.mjs"], { cwd: root });
}
