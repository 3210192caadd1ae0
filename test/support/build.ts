import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["core", "wire", "agent", "scaler", "sim", "fleet", "web", "cli", "build.mjs", "package.json"];

/** Builds dist/ before the tests when a source is newer than it, so that tests can spawn the program as users do. */
export async function setup(): Promise<void> {
  const built = newest(join(root, "dist", "fulcrum.mjs"));
  if (SOURCES.every((source) => newest(join(root, source)) < built)) return;
  try {
    await promisify(execFile)(process.execPath, ["build.mjs"], { cwd: root });
  } catch (error) {
    // Half-built trees happen while developing, and most tests need no dist; where it counts it must build.
    if (process.env["CI"] === "true") throw error;
    process.stderr.write(`dist could not be built; tests that spawn it may fail:\n${said(error)}\n`);
  }
}

/** Latest change below a path, milliseconds; -Infinity where there is nothing. */
function newest(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return -Infinity;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), stats.mtimeMs);
}

function said(error: unknown): string {
  const text = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
  return text
    .split("\n")
    .filter((line) => line.includes("[ERROR]"))
    .slice(0, 5)
    .join("\n");
}
