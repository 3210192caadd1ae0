import { err, ok, type Result } from "../result.ts";
import type { PageFormat } from "./limits.ts";
import { readNumber, skipBlanks, type Cursor } from "./number.ts";
import { readLabels, type Labels, type LexError } from "./series.ts";

export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  /** Unix seconds. */
  readonly timestamp?: number;
}

export interface Tail {
  /** Unix seconds. */
  readonly timestamp?: number;
  readonly exemplar?: Exemplar;
}

const HASH = 35;
const OPEN = 123;
const NOTHING: Result<Tail, LexError> = ok({});

/** What may follow a value: a timestamp (milliseconds in the Prometheus format, seconds in OpenMetrics) and an exemplar. */
export function readTail(text: string, at: number, end: number, format: PageFormat, maxLabels: number): Result<Tail, LexError> {
  const cursor: Cursor = { at: skipBlanks(text, at, end) };
  if (cursor.at >= end) return NOTHING;
  let timestamp: number | undefined;
  if (text.charCodeAt(cursor.at) !== HASH) {
    const start = cursor.at;
    timestamp = readNumber(text, cursor, end);
    if (timestamp === undefined || !Number.isFinite(timestamp))
      return err({ at: start, code: "timestamp", message: "a timestamp is a number" });
    if (format !== "openmetrics") timestamp /= 1000;
    cursor.at = skipBlanks(text, cursor.at, end);
  }
  const base = timestamp === undefined ? {} : { timestamp };
  if (cursor.at >= end) return ok(base);
  if (text.charCodeAt(cursor.at) !== HASH) return err({ at: cursor.at, code: "trailing", message: "unexpected text after the sample" });
  const exemplar = readExemplar(text, cursor, end, maxLabels);
  return exemplar.ok ? ok({ ...base, exemplar: exemplar.value }) : exemplar;
}

function readExemplar(text: string, cursor: Cursor, end: number, maxLabels: number): Result<Exemplar, LexError> {
  const brace = skipBlanks(text, cursor.at + 1, end);
  if (brace >= end || text.charCodeAt(brace) !== OPEN)
    return err({ at: brace, code: "exemplar", message: "an exemplar starts with a label set" });
  const set = readLabels(text, brace, end, maxLabels);
  if (!set.ok) return set;
  cursor.at = skipBlanks(text, set.value.end, end);
  const value = cursor.at < end ? readNumber(text, cursor, end) : undefined;
  if (value === undefined) return err({ at: cursor.at, code: "exemplar", message: "an exemplar has a value" });
  cursor.at = skipBlanks(text, cursor.at, end);
  if (cursor.at >= end) return ok({ labels: set.value.labels, value });
  const start = cursor.at;
  const timestamp = readNumber(text, cursor, end);
  if (timestamp === undefined || skipBlanks(text, cursor.at, end) < end)
    return err({ at: start, code: "exemplar", message: "unexpected text after the exemplar" });
  return ok({ labels: set.value.labels, value, timestamp });
}
