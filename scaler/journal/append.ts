import { mkdir, open, readdir, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../log.ts";
import type { JournalRecord, StartRecord } from "./records.ts";

/** Append-only JSON lines in a directory, by size: a full file is followed by the next, the oldest leave. */
export interface Journal {
  /** Resolves when the line is with the operating system. A failure is logged and counted, never thrown: the loop goes on. */
  append(record: JournalRecord): Promise<void>;
  failures(): number;
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Start records as of now, to begin a new file with, so that it replays alone. Called between two ticks. */
  readonly starts: () => readonly StartRecord[];
  readonly log: Log;
}

const NAME = /^journal-(\d{6,})\.jsonl$/;

export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, log } = options;
  await mkdir(directory, { recursive: true });
  // Always a new file: the last one may end in a torn line.
  let number = Math.max(0, ...(await numbers(directory))) + 1;
  let file: FileHandle = await openFile(directory, number);
  let size = 0;
  let failures = 0;
  let queue = Promise.resolve();

  async function write(record: JournalRecord): Promise<void> {
    if (size >= options.maxBytes) await rotate();
    const line = `${JSON.stringify(record)}\n`;
    await file.appendFile(line);
    size += Buffer.byteLength(line);
  }

  async function rotate(): Promise<void> {
    const next = await openFile(directory, number + 1);
    await file.close();
    file = next;
    number++;
    size = 0;
    for (const start of options.starts()) await write(start);
    const all = (await numbers(directory)).sort((a, b) => a - b);
    for (const old of all.slice(0, Math.max(0, all.length - options.maxFiles))) await rm(join(directory, fileName(old)), { force: true });
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
    failures: () => failures,
    async close() {
      await queue;
      await file.close();
    },
  };
}

const fileName = (number: number): string => `journal-${String(number).padStart(6, "0")}.jsonl`;
const openFile = (directory: string, number: number): Promise<FileHandle> => open(join(directory, fileName(number)), "a");

async function numbers(directory: string): Promise<number[]> {
  return (await readdir(directory)).flatMap((name) => {
    const match = NAME.exec(name);
    return match?.[1] === undefined ? [] : [Number(match[1])];
  });
}
