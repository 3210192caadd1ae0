import type { Profile } from "../../core/profile.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { profileSchema } from "../../scaler/policy/profile.ts";
import { fromAiconfigurator } from "./aiconfigurator.ts";
import { looksLikeAiconfigurator } from "./aiconfigurator-csv.ts";
import { fromDynamoRaw, looksLikeRaw, type Columns } from "./dynamo-raw.ts";
import type { Given, Imported } from "./given.ts";
import { parseProfile } from "./load.ts";
import { readNpy } from "./npz/npy.ts";
import { readZip, type Inflate } from "./npz/zip.ts";

export const SOURCES = ["dynamo-npz", "dynamo-json", "aiconfigurator", "profile"] as const;
export type Source = (typeof SOURCES)[number];

/** A file's name and bytes. */
export interface SourceFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Options {
  readonly from?: Source;
  readonly given: Given;
  readonly inflate: Inflate;
}

/** Measurements of one model on one kind of GPU, in whichever form they come → a profile, or one line per problem. */
export function importProfile(files: readonly SourceFile[], { from, given, inflate }: Options): Result<Imported, string[]> {
  const sources = new Set(files.map((file) => from ?? sourceOf(file)));
  const [source] = sources;
  if (sources.size > 1) return err([`PROFILE_MIXED files of different kinds (${[...sources].join(", ")}); import one kind at a time`]);
  const all = `${files[0]?.name ?? "no file"}${files.length > 1 ? ` and ${files.length - 1} more` : ""}`;
  const coded = (code: string, result: Result<Imported, string[]>): Result<Imported, string[]> => {
    const problems = result.ok ? fieldProblems(result.value.profile) : result.error;
    return problems.length === 0 ? result : err(problems.map((problem) => `${all}: ${code} ${problem}`));
  };
  if (source === "dynamo-npz" || source === "dynamo-json") {
    const columns = columnsOf(files, source === "dynamo-npz" ? (file) => npzColumns(file, inflate) : jsonColumns);
    return columns.ok ? coded("PROFILE_DYNAMO", fromDynamoRaw(columns.value, given)) : columns;
  }
  if (source === "aiconfigurator") return coded("PROFILE_AICONFIGURATOR", fromAiconfigurator(files.map(textOf), given));
  const [file] = files;
  if (file === undefined || files.length > 1) return err([`${all}: PROFILE_FILES a profile is one file`]);
  const parsed = parseProfile(textOf(file), file.name);
  if (!parsed.ok) return parsed;
  const { model, gpu, gpus: gpusPerReplica, kvBytesPerToken, kvCapacityTokens } = given;
  const said = Object.entries({ model, gpu, gpusPerReplica, kvBytesPerToken, kvCapacityTokens }).filter(([, value]) => value !== undefined);
  return ok({ profile: { ...parsed.value, ...Object.fromEntries(said) }, notes: [] });
}

/** What no profile file may hold, whoever wrote it (half a token, say). */
function fieldProblems(profile: Profile): string[] {
  const parsed = profileSchema.safeParse(profile);
  return parsed.success ? [] : parsed.error.issues.slice(0, 20).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
}

const textOf = ({ bytes }: SourceFile): string => new TextDecoder().decode(bytes);

/** What a file is, by its content. */
export function sourceOf(file: SourceFile): Source {
  if (file.bytes[0] === 0x50 && file.bytes[1] === 0x4b) return "dynamo-npz";
  const text = textOf(file);
  if (looksLikeAiconfigurator(text)) return "aiconfigurator";
  const columns = jsonColumns(file);
  return columns.ok && looksLikeRaw(columns.value) ? "dynamo-json" : "profile";
}

/** The columns of all files together; one that stands in two of them is a mistake. */
function columnsOf(files: readonly SourceFile[], read: (file: SourceFile) => Result<Columns, string>): Result<Columns, string[]> {
  const columns = new Map<string, readonly number[]>();
  for (const file of files) {
    const own = read(file);
    if (!own.ok) return err([`${file.name}: ${own.error}`]);
    for (const [key, values] of own.value) {
      if (columns.has(key)) return err([`${file.name}: PROFILE_DYNAMO ${key} stands in another file too`]);
      columns.set(key, values);
    }
  }
  return ok(columns);
}

/** Numeric arrays of an archive, flattened; others (names, say) are not asked for. */
function npzColumns(file: SourceFile, inflate: Inflate): Result<Columns, string> {
  const members = readZip(file.bytes, inflate);
  if (!members.ok) return err(`PROFILE_NPZ ${members.error}`);
  const columns = new Map<string, readonly number[]>();
  for (const [name, bytes] of members.value) {
    const key = name.replace(/\.npy$/, "");
    const array = readNpy(bytes);
    if (!array.ok) {
      if (/dtype/.test(array.error)) continue;
      return err(`PROFILE_NPZ member ${name}: ${array.error}`);
    }
    const rows = array.value.shape.length > 1 ? (array.value.shape[0] ?? 1) : 1;
    if (rows > 1)
      return err(
        `PROFILE_NPZ ${key}: shape (${array.value.shape.join(", ")}): several parallel layouts in one file; save one row of each array`,
      );
    columns.set(key, array.value.values);
  }
  return ok(columns);
}

function jsonColumns(file: SourceFile): Result<Columns, string> {
  let json: unknown;
  try {
    json = JSON.parse(textOf(file));
  } catch (error) {
    return err(`PROFILE_JSON not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return err("PROFILE_DYNAMO no JSON object");
  const columns = new Map<string, readonly number[]>();
  for (const [key, value] of Object.entries(json)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (values.every((one) => typeof one === "number")) columns.set(key, values);
  }
  return ok(columns);
}
