import { readFile, stat } from "node:fs/promises";
import { badInput } from "./exit.ts";

/** Settings and policies are pages of text; whatever is larger is another file. */
const MAX_BYTES = 4 * 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a directory, not a file",
  ENOTDIR: "a part of the path is not a directory",
};

export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

/** A small text file named on the command line. */
export async function readInput(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw badInput(`${file}: ${size} bytes; at most ${MAX_BYTES} are read`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && error.name === "CommandError") throw error;
    throw badInput(`${file}: ${whyUnreadable(error)}`);
  }
}
