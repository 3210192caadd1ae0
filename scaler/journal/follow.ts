import { appendFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Result } from "../../core/result.ts";
import { makeDirectory } from "./directory.ts";
import { dropOldest, journalNumbers, numberOf } from "./files.ts";
import { prefixDigest, type JournalFile, type Part } from "./part.ts";

/** A leader's journal, from afar. Errors are sentences. */
export interface LeaderJournal {
  list(signal: AbortSignal): Promise<Result<readonly JournalFile[], string>>;
  part(name: string, from: number, digest: string | undefined, signal: AbortSignal): Promise<Result<Part, string>>;
}

export interface Copy {
  readonly directory: string;
  readonly maxFiles: number;
  /** Asked before each write: nothing is copied into a directory that its own scaler may write to. */
  readonly may: () => boolean;
}

/** Files that were found to begin as the leader's do, or to be others; as long as one leader is followed. */
export type Compared = Map<string, "same" | "other">;

/**
 * Brings a directory's journal files up to the leader's, byte by byte: a file begins with start records, so each that is whole here replays
 * alone, and files are named by their time, so together they are one history. Files of which this scaler has more than the leader, because it
 * led itself and the leader never saw the end, stay as they are. Answers with the bytes copied.
 */
export async function copyJournal(
  copy: Copy,
  leader: LeaderJournal,
  compared: Compared,
  signal: AbortSignal,
): Promise<Result<number, string>> {
  const files = await leader.list(signal);
  if (!files.ok) return files;
  await makeDirectory(copy.directory);
  let copied = 0;
  for (const file of await wanted(copy, files.value)) {
    const done = await copyFile(copy, leader, file, compared, signal);
    if (!done.ok) return done;
    copied += done.value;
  }
  if (copied > 0 && copy.may()) await dropOldest(copy.directory, copy.maxFiles);
  return ok(copied);
}

/** The leader's newest files, as many as are kept here, of names that are a journal's. */
async function wanted({ directory, maxFiles }: Copy, files: readonly JournalFile[]): Promise<readonly JournalFile[]> {
  const own = await journalNumbers(directory);
  const numbers = [...new Set([...own, ...files.flatMap(({ name }) => numberOf(name) ?? [])])].sort((a, b) => a - b);
  const oldest = numbers.at(-maxFiles) ?? Number.NEGATIVE_INFINITY;
  return files.filter(({ name }) => (numberOf(name) ?? Number.NEGATIVE_INFINITY) >= oldest);
}

async function copyFile(
  { directory, may }: Copy,
  leader: LeaderJournal,
  { name, bytes }: JournalFile,
  compared: Compared,
  signal: AbortSignal,
): Promise<Result<number, string>> {
  const path = join(directory, name);
  let copied = 0;
  for (;;) {
    const have = (await stat(path).catch(() => undefined))?.size ?? 0;
    if (have >= bytes || compared.get(name) === "other") return ok(copied);
    const digest = have > 0 && !compared.has(name) ? await prefixDigest(path, have) : undefined;
    const part = await leader.part(name, have, digest, signal);
    if (!part.ok) return part;
    if (part.value.kind === "other") {
      compared.set(name, "other");
      return err(`${name} is another file here than the leader's; it stays as it is, and the leader's is not copied`);
    }
    compared.set(name, "same");
    if (part.value.kind === "none" || part.value.bytes.byteLength === 0) return ok(copied);
    if (!may() || signal.aborted) return ok(copied);
    await appendFile(path, part.value.bytes);
    copied += part.value.bytes.byteLength;
  }
}
