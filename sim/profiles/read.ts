import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { err, ok, type Result } from "../../core/result.ts";
import type { Profile } from "../../core/profile.ts";
import { sourceOf, type SourceFile } from "./import.ts";
import { parseProfile } from "./load.ts";
import type { Inflate } from "./npz/zip.ts";

/** Tables of a hundred thousand rows fit well below this; anything larger is some other file. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_FILES = 64;

/** What a folder of results is known by: Dynamo's profiler (current, and as its ConfigMap is mounted), AIConfigurator. */
const IN_FOLDERS: readonly (readonly string[])[] = [
  ["selected_prefill_interpolation/raw_data.npz", "selected_decode_interpolation/raw_data.npz"],
  ["prefill_raw_data.json", "decode_raw_data.json"],
  ["disagg/best_config_topn.csv", "disagg/pareto.csv"],
  ["best_config_topn.csv", "pareto.csv"],
];

/** Profile file → profile, or one line per problem. */
export async function loadProfile(file: string): Promise<Result<Profile, string[]>> {
  const read = await readOne(file);
  if (!read.ok) return read;
  const source = sourceOf(read.value);
  if (source !== "profile")
    return err([`${file}: PROFILE_IMPORT results of another tool (${source}); "fulcrum profile import" makes a profile of them`]);
  return parseProfile(new TextDecoder().decode(read.value.bytes), file);
}

/** Files as they are named; of a folder, the result files that are known by their names. */
export async function readSources(paths: readonly string[]): Promise<Result<readonly SourceFile[], string[]>> {
  const files: SourceFile[] = [];
  for (const path of paths) {
    const folder = await isFolder(path);
    const names = folder ? await inFolder(path) : [path];
    if (names.length === 0) {
      return err([
        `${path}: PROFILE_FOLDER no results of Dynamo's profiler or AIConfigurator in it (${IN_FOLDERS.map(([name]) => name).join(", ")})`,
      ]);
    }
    for (const name of names) {
      const read = await readOne(name);
      if (!read.ok) return read;
      files.push(read.value);
    }
    if (files.length > MAX_FILES) return err([`PROFILE_FILES more than ${MAX_FILES} files`]);
  }
  return ok(files);
}

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

/** AIConfigurator puts a run into a folder below the one it was told, at most two levels down (the model's name may hold a slash). */
async function inFolder(folder: string, depth = 2): Promise<string[]> {
  for (const names of IN_FOLDERS) {
    const paths = names.map((name) => join(folder, name));
    const found = await Promise.all(
      paths.map((path) =>
        stat(path).then(
          (one) => one.isFile(),
          () => false,
        ),
      ),
    );
    if (found.includes(true)) return paths.filter((_, index) => found[index]);
  }
  if (depth === 0) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory()).slice(0, MAX_FILES);
  return (await Promise.all(below.map((entry) => inFolder(join(folder, entry.name), depth - 1)))).flat();
}

async function readOne(file: string): Promise<Result<SourceFile, string[]>> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) return err([`${file}: PROFILE_SIZE ${size} bytes; a profile has at most ${MAX_BYTES}`]);
    return ok({ name: file, bytes: await readFile(file) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = code === "ENOENT" ? "no such file" : error instanceof Error ? error.message : String(error);
    return err([`${file}: PROFILE_READ ${reason}`]);
  }
}

export const inflate: Inflate = (bytes, most) => {
  try {
    return ok(inflateRawSync(bytes, { maxOutputLength: most + 1 }));
  } catch (error) {
    return err(`it does not unpack: ${error instanceof Error ? error.message : String(error)}`);
  }
};
