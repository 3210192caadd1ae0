/** Prints what a tag releases, or says why it must not: `npx tsx scripts/release-notes.ts v0.1.0`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HOME } from "./gates/command.ts";
import { notesOf } from "./release/notes.ts";

const read = (name: string): string => readFileSync(join(HOME, name), "utf8");
const { version } = JSON.parse(read("package.json")) as { version: string };
try {
  process.stdout.write(notesOf(read("CHANGELOG.md"), version, process.argv[2] ?? ""));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
