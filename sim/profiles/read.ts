import { readFile, stat } from "node:fs/promises";
import { err, type Result } from "../../core/result.ts";
import type { Profile } from "../../core/profile.ts";
import { parseProfile } from "./load.ts";

/** Tables of a hundred thousand rows fit well below this; anything larger is some other file. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Profile file → profile, or one line per problem. */
export async function loadProfile(file: string): Promise<Result<Profile, string[]>> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) return err([`${file}: PROFILE_SIZE ${size} bytes; a profile has at most ${MAX_BYTES}`]);
    return parseProfile(await readFile(file, "utf8"), file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = code === "ENOENT" ? "no such file" : error instanceof Error ? error.message : String(error);
    return err([`${file}: PROFILE_READ ${reason}`]);
  }
}
