import { err, ok, type Result } from "../result.ts";
import { isBlank, skipBlanks } from "./number.ts";
import type { ProblemCode } from "./problems.ts";

export type Labels = ReadonlyMap<string, string>;

export interface Series {
  readonly name: string;
  readonly labels: Labels;
  /** Offset just behind the series text. */
  readonly end: number;
}

export interface LexError {
  readonly at: number;
  readonly code: ProblemCode;
  readonly message: string;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;
const COMMA = 44;
const EQUALS = 61;

/**
 * Offset behind the series text that starts at `at` (name, or name and label set), without reading the labels: the cheap half of `readSeries`.
 * A label value may hold any character, so the closing brace is searched outside quotes. -1 when the label set does not end on this line.
 */
export function seriesEnd(text: string, at: number, end: number): number {
  let next = at;
  while (next < end && !isBlank(text.charCodeAt(next)) && text.charCodeAt(next) !== OPEN) next++;
  const brace = skipBlanks(text, next, end);
  return text.charCodeAt(brace) === OPEN && brace < end ? closingBrace(text, brace + 1, end) : next;
}

/** Offset behind the brace that closes the label set opened before `at`, or -1. */
function closingBrace(text: string, at: number, end: number): number {
  let quoted = false;
  for (let i = at; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) quoted = !quoted;
    else if (c === BACKSLASH && quoted) i++;
    else if (c === CLOSE && !quoted) return i + 1;
  }
  return -1;
}

/** Reads name and labels; also the quoted form `{"my.metric",label="x"}` that Prometheus 3 writes for names beyond the classic alphabet. */
export function readSeries(text: string, at: number, end: number, maxLabels: number): Result<Series, LexError> {
  let name = "";
  let next = nameEnd(text, at, end, true);
  if (next > at) name = text.slice(at, next);
  next = skipBlanks(text, next, end);
  if (next >= end || text.charCodeAt(next) !== OPEN) {
    const stop = at + name.length;
    if (name === "") return fail(at, "name", "a line starts with a metric name or a label set");
    // Behind a closing brace the value may follow at once, as Prometheus accepts it; behind a bare name it may not.
    if (stop < end && !isBlank(text.charCodeAt(stop))) return fail(stop, "name", "unexpected character in a metric name");
    return ok({ name, labels: new Map(), end: stop });
  }
  const set = readLabels(text, next, end, maxLabels);
  if (!set.ok) return set;
  const quotedName = set.value.name;
  if ((name === "") === (quotedName === undefined))
    return fail(at, "name", "one metric name is expected, before the label set or quoted in it");
  return ok({ name: quotedName ?? name, labels: set.value.labels, end: set.value.end });
}

export interface LabelSet {
  readonly name: string | undefined;
  readonly labels: Labels;
  readonly end: number;
}

/** Reads the label set whose opening brace is at `at`. */
export function readLabels(text: string, at: number, end: number, maxLabels: number): Result<LabelSet, LexError> {
  const labels = new Map<string, string>();
  let metric: string | undefined;
  let next = skipBlanks(text, at + 1, end);
  while (next < end && text.charCodeAt(next) !== CLOSE) {
    const key = readLabelName(text, next, end);
    if (!key.ok) return key;
    next = skipBlanks(text, key.value.end, end);
    if (key.value.quoted && text.charCodeAt(next) !== EQUALS) {
      if (metric !== undefined) return fail(next, "labels", "a second metric name in the label set");
      metric = key.value.text;
    } else {
      if (next >= end || text.charCodeAt(next) !== EQUALS) return fail(next, "labels", `expected = after label ${key.value.text}`);
      const value = readQuoted(text, skipBlanks(text, next + 1, end), end);
      if (!value.ok) return value;
      if (labels.has(key.value.text)) return fail(next, "labels", `label ${key.value.text} stands twice`);
      if (labels.size >= maxLabels) return fail(next, "labels", `more than ${maxLabels} labels`);
      labels.set(key.value.text, value.value.text);
      next = skipBlanks(text, value.value.end, end);
    }
    if (next < end && text.charCodeAt(next) === COMMA) next = skipBlanks(text, next + 1, end);
    else if (next < end && text.charCodeAt(next) !== CLOSE) return fail(next, "labels", "expected , or } after a label");
  }
  return next < end ? ok({ name: metric, labels, end: next + 1 }) : fail(end, "labels", "the label set is not closed");
}

interface Token {
  readonly text: string;
  readonly end: number;
  readonly quoted: boolean;
}

function readLabelName(text: string, at: number, end: number): Result<Token, LexError> {
  if (text.charCodeAt(at) === QUOTE) return readQuoted(text, at, end);
  const stop = nameEnd(text, at, end, false);
  return stop > at ? ok({ text: text.slice(at, stop), end: stop, quoted: false }) : fail(at, "labels", "expected a label name");
}

function readQuoted(text: string, at: number, end: number): Result<Token, LexError> {
  if (at >= end || text.charCodeAt(at) !== QUOTE) return fail(at, "labels", 'expected "');
  let escaped = false;
  for (let i = at + 1; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const raw = text.slice(at + 1, i);
      return ok({ text: escaped ? unescape(raw) : raw, end: i + 1, quoted: true });
    }
    if (c === BACKSLASH) {
      escaped = true;
      i++;
    }
  }
  return fail(at, "labels", 'a " is not closed on its line');
}

/** \\, \" and \n; an unknown escape stands for itself, as in Prometheus. */
export const unescape = (raw: string): string => raw.replace(/\\(["\\n])/g, (_, c: string) => (c === "n" ? "\n" : c));

/** [a-zA-Z_:][a-zA-Z0-9_:]*, the colon only in metric names. */
function nameEnd(text: string, at: number, end: number, colon: boolean): number {
  let next = at;
  while (next < end) {
    const c = text.charCodeAt(next);
    const letter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || (colon && c === 58);
    const digit = c >= 48 && c <= 57 && next > at;
    if (!letter && !digit) break;
    next++;
  }
  return next;
}

const fail = (at: number, code: ProblemCode, message: string): { readonly ok: false; readonly error: LexError } =>
  err({ at, code, message });
