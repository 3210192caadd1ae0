import { readFile } from "node:fs/promises";
import { err, ok, type Result } from "../../../core/result.ts";

/** A header holds no more. */
const MAX_KEY = 4096;

/** The key in a file, without its line's end. A file that is not there is no key: the manifests' Secret may be left out. */
export async function readEngineKey(file: string): Promise<Result<string | undefined, string>> {
  try {
    const key = (await readFile(file, "utf8")).trim();
    if (key === "") return ok(undefined);
    // The key itself is not said.
    return /^[\x21-\x7e]+$/.test(key) && key.length <= MAX_KEY
      ? ok(key)
      : err(`${file}: not a key; write one line of printable characters`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? ok(undefined) : err(`${file}: cannot be read (${code ?? String(error)})`);
  }
}
