import type { JournalRecord } from "./records.ts";

export interface ParsedJournal {
  readonly records: readonly JournalRecord[];
  /** True when the last line was cut off: the process ended while writing it. */
  readonly torn: boolean;
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

const MAX_PROBLEMS = 20;

/** Journal text → records. A line that is no record is named and skipped; the rest still stands. Pure. */
export function parseJournal(text: string): ParsedJournal {
  const records: JournalRecord[] = [];
  const problems: { line: number; message: string }[] = [];
  let torn = false;
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const record = parseLine(line);
    if (record !== undefined) records.push(record);
    else if (index === lines.length - 1) torn = true;
    else if (problems.length < MAX_PROBLEMS) problems.push({ line: index + 1, message: `not a journal record: ${line.slice(0, 60)}` });
  }
  return { records, torn, problems };
}

function parseLine(line: string): JournalRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

/** The journal is our own writing: its shape is checked as far as replay relies on it. */
function isRecord(value: unknown): value is JournalRecord {
  if (typeof value !== "object" || value === null) return false;
  const r = value as Readonly<Record<string, unknown>>;
  if (typeof r["at"] !== "number" || typeof r["name"] !== "string") return false;
  if (r["kind"] === "start") return isObject(r["policy"]) && isObject(r["prior"]) && isObject(r["state"]);
  if (r["kind"] === "override") return r["mode"] === null || typeof r["mode"] === "string";
  return r["kind"] === "tick" && isObject(r["observation"]) && isObject(r["decision"]) && typeof r["stateDigest"] === "string";
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
