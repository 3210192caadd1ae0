import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Names of journal files by age: numbers that grow with time, so that files of several scalers sort into one history. */
const NAME = /^journal-(\d{6,})\.jsonl$/;

export const fileName = (number: number): string => `journal-${String(number).padStart(6, "0")}.jsonl`;

/** The number in a journal file's name; undefined for another file. */
export const numberOf = (name: string): number | undefined => {
  const match = NAME.exec(name);
  return match?.[1] === undefined ? undefined : Number(match[1]);
};

/** Numbers of a directory's journal files, oldest first. */
export async function journalNumbers(directory: string): Promise<number[]> {
  return (await readdir(directory)).flatMap((name) => numberOf(name) ?? []).sort((a, b) => a - b);
}

/** The next file's number: the time (seconds since 1970), but above those of all files that are there. */
export const nextNumber = (numbers: readonly number[], now: number): number => Math.max(1, Math.floor(now), ...numbers.map((n) => n + 1));

/** The oldest leave until `most` are left. */
export async function dropOldest(directory: string, most: number): Promise<void> {
  const all = await journalNumbers(directory);
  for (const old of all.slice(0, Math.max(0, all.length - most))) await rm(join(directory, fileName(old)), { force: true });
}
