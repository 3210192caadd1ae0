import { access, constants, open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../log.ts";
import { makeDirectory } from "./directory.ts";
import { dropOldest, fileName, journalNumbers, nextNumber } from "./files.ts";
import type { JournalRecord, StartRecord } from "./records.ts";

/** Append-only JSON lines in a directory, by size: a full file is followed by the next, the oldest leave. */
export interface Journal {
  /** Resolves when the line is with the operating system. A failure is logged and counted, never thrown: the loop goes on. */
  append(record: JournalRecord): Promise<void>;
  /** What is appended from now on goes into a new file where another scaler's have come to the directory since the last one. */
  turn(): void;
  failures(): number;
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Start records as of now, to begin a new file with, so that it replays alone. Called between two ticks. */
  readonly starts: () => readonly StartRecord[];
  /** Seconds since 1970; only names files. */
  readonly now: () => number;
  readonly log: Log;
}

/** Rejects where the directory cannot be made or written. Files are made when there is something to write. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, log } = options;
  await makeDirectory(directory);
  // Told at the start, not at the first decision.
  await access(directory, constants.W_OK);
  // Always a new file at first: the last one may end in a torn line.
  let file: FileHandle | undefined;
  let number = 0;
  let size = 0;
  let begun = false;
  let failures = 0;
  let queue = Promise.resolve();

  async function write(record: JournalRecord): Promise<void> {
    if (size >= options.maxBytes) await leave();
    if (file === undefined) await begin();
    await put(record);
  }

  async function put(record: JournalRecord): Promise<void> {
    const line = `${JSON.stringify(record)}\n`;
    await file?.appendFile(line);
    size += Buffer.byteLength(line);
  }

  async function begin(): Promise<void> {
    number = nextNumber(await journalNumbers(directory), options.now());
    file = await open(join(directory, fileName(number)), "a");
    await dropOldest(directory, options.maxFiles);
    // Who writes the first record of all begins with a start itself.
    const starts = begun ? options.starts() : [];
    begun = true;
    for (const start of starts) await put(start);
  }

  async function leave(): Promise<void> {
    const old = file;
    file = undefined;
    size = 0;
    await old?.close();
  }

  return {
    append(record) {
      queue = queue.then(async () => {
        try {
          await write(record);
        } catch (error) {
          failures++;
          log.error({ err: error, directory }, "journal: a record could not be written");
        }
      });
      return queue;
    },
    turn() {
      queue = queue.then(async () => {
        const newest = (await journalNumbers(directory).catch(() => [])).at(-1) ?? 0;
        // What is appended next is not to fail for a file that is done with.
        if (newest > number)
          await leave().catch((error: unknown) => log.error({ err: error, directory }, "journal: a file could not be closed"));
      });
    },
    failures: () => failures,
    async close() {
      await queue;
      await leave();
    },
  };
}
