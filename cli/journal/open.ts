import { readJournal } from "../../scaler/journal/read.ts";
import type { JournalRecord } from "../../scaler/journal/records.ts";
import { badInput } from "../exit.ts";
import { whyUnreadable } from "../files.ts";

/** The records of a journal file or folder; what could not be read is told on stderr and does not hide the rest. */
export async function openJournal(path: string): Promise<readonly JournalRecord[]> {
  const journal = await readJournal(path).catch((error: unknown) => {
    throw badInput(`${path}: ${whyUnreadable(error)}`);
  });
  for (const problem of journal.problems) process.stderr.write(`${path}: line ${problem.line}: ${problem.message}\n`);
  if (journal.torn) process.stderr.write(`${path}: the last line is cut off (the scaler ended while writing it); it is left out\n`);
  if (!journal.records.some((record) => record.kind === "tick")) throw badInput(`${path}: holds no decision of a scaler`);
  return journal.records;
}
