import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseJournal, type ParsedJournal } from "./parse.ts";

/** Reads a journal file, or every file of a journal directory in order. Throws what the file system throws. */
export async function readJournal(path: string): Promise<ParsedJournal> {
  const files = (await stat(path)).isDirectory()
    ? (await readdir(path))
        .filter((name) => name.endsWith(".jsonl"))
        .sort()
        .map((name) => join(path, name))
    : [path];
  const parts: ParsedJournal[] = [];
  for (const file of files) parts.push(parseJournal(await readFile(file, "utf8")));
  return {
    records: parts.flatMap((p) => p.records),
    torn: parts.some((p) => p.torn),
    problems: parts.flatMap((p) => p.problems),
  };
}
