import { DEFAULT_LIMITS, type PageFormat, type PageLimits } from "./limits.ts";
import { readNumber, skipBlanks } from "./number.ts";
import { createProblemLog, type Problem, type ProblemLog } from "./problems.ts";
import { readTail, type Exemplar } from "./sample-tail.ts";
import { isEof, skipSpace } from "./series-reader.ts";
import { readSeries, unescape, type Labels } from "./series.ts";

/** A whole page as data: for the doctor, for tests, for pages read once. Scrapers use the series reader. */
export interface Page {
  readonly samples: readonly Sample[];
  readonly families: ReadonlyMap<string, Family>;
  readonly problems: readonly Problem[];
  readonly problemCount: number;
}

export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
  /** Unix seconds. */
  readonly timestamp?: number;
  readonly exemplar?: Exemplar;
}

export interface Family {
  readonly type?: string;
  readonly help?: string;
  readonly unit?: string;
}

export interface ParseOptions {
  readonly format?: PageFormat;
  readonly limits?: PageLimits;
}

const HASH = 35;
const TYPES = new Set(["counter", "gauge", "histogram", "summary", "untyped", "unknown", "info", "stateset", "gaugehistogram"]);
const COMMENT = /^#[ \t]+(HELP|TYPE|UNIT)[ \t]+("(?:[^"\\]|\\.)*"|[^ \t]+)(?:[ \t]+(.*))?$/;

export function parsePage(text: string, options: ParseOptions = {}): Page {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const format = options.format ?? "auto";
  const log = createProblemLog(text);
  const samples: Sample[] = [];
  const families = new Map<string, Family>();
  const done = (): Page => ({ samples, families, problems: log.kept, problemCount: log.count() });
  if (text.length > limits.size) {
    log.page("too-large", `the page has ${text.length} characters, at most ${limits.size} are read`);
    return done();
  }
  let ended = false;
  for (let start = 0, next = 0; start < text.length; start = next) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    next = end + 1;
    const at = skipBlanks(text, start, end);
    if (at >= end) continue;
    if (text.charCodeAt(at) === HASH) {
      if (isEof(text, start, end, format)) {
        ended = true;
        if (skipSpace(text, next) < text.length) log.at(next, "after-eof", "text after # EOF is not read");
        break;
      }
      readComment(text, at, end, families, log);
      continue;
    }
    if (samples.length >= limits.samples) {
      log.at(start, "too-many-samples", `more than ${limits.samples} samples; the rest of the page is not read`);
      break;
    }
    const sample = readSample(text, at, end, format, limits, log);
    if (sample !== undefined) samples.push(sample);
  }
  if (format === "openmetrics" && !ended) log.page("no-eof", "an OpenMetrics page ends with # EOF; this one may be cut off");
  return done();
}

function readSample(text: string, at: number, end: number, format: PageFormat, limits: PageLimits, log: ProblemLog): Sample | undefined {
  const series = readSeries(text, at, end, limits.labels);
  if (!series.ok) return void log.at(series.error.at, series.error.code, series.error.message);
  const { name, labels, end: stop } = series.value;
  const cursor = { at: skipBlanks(text, stop, end) };
  const from = cursor.at;
  const value = from < end ? readNumber(text, cursor, end) : undefined;
  if (value === undefined) return void log.at(from, "value", "a sample has a number as value");
  const tail = readTail(text, cursor.at, end, format, limits.labels);
  if (!tail.ok) return void log.at(tail.error.at, tail.error.code, tail.error.message);
  return { name, labels, value, ...tail.value };
}

function readComment(text: string, at: number, end: number, families: Map<string, Family>, log: ProblemLog): void {
  const found = COMMENT.exec(text.slice(at, end).trimEnd());
  if (found === null) return;
  const [, keyword, rawName = "", rest = ""] = found;
  const name = rawName.startsWith('"') ? unescape(rawName.slice(1, -1)) : rawName;
  const family = families.get(name) ?? {};
  if (keyword === "HELP") families.set(name, { ...family, help: unescape(rest) });
  else if (keyword === "UNIT") families.set(name, { ...family, unit: rest.trim() });
  else if (TYPES.has(rest.trim())) families.set(name, { ...family, type: rest.trim() });
  else log.at(at, "comment", `unknown type ${JSON.stringify(rest.trim())}`);
}
