import { DEFAULT_LIMITS, type PageFormat, type PageLimits } from "./limits.ts";
import { isBlank, readNumber, skipBlanks, type Cursor } from "./number.ts";
import { createProblemLog, type Problem, type ProblemLog } from "./problems.ts";
import { readTail } from "./sample-tail.ts";
import { readSeries, seriesEnd, type Labels } from "./series.ts";

/**
 * Reads the same page again and again, as a scraper does. The cache maps the raw text of a series to what its reader resolved it to ("nobody
 * wants it" included), so a steady scrape parses no labels and allocates nothing per line. Pages keep their order, so each entry also knows
 * its successor of last time: most lines are recognised by one comparison, without hashing. After Prometheus' scrapeCache.
 */
export interface SeriesReader {
  read(text: string, format?: PageFormat): PageRead;
  /** Entries held, for the reader's own gauge. */
  cached(): number;
}

export interface PageRead {
  /** Sample lines seen, wanted or not. */
  readonly samples: number;
  readonly problems: readonly Problem[];
  readonly problemCount: number;
}

export interface SeriesReaderOptions<Slot> {
  /** Called once per series text; undefined = not wanted. Lines of unwanted series are not looked at beyond their series text. */
  readonly resolve: (name: string, labels: Labels) => Slot | undefined;
  readonly store: (slot: Slot, value: number) => void;
  readonly limits?: PageLimits;
}

interface Entry<Slot> {
  readonly key: string;
  readonly labelled: boolean;
  readonly slot: Slot | undefined;
  /** Generation that last had the series on its page, and that last had a readable value of it. */
  seen: number;
  valued: number;
  next: Entry<Slot> | undefined;
}

const HASH = 35;
const NEWLINE = 10;
const OPEN = 123;
/** Unseen entries tolerated before a sweep: twice the page plus this, so that flapping series do not cause churn (the rule of Prometheus). */
const SPARE_ENTRIES = 1000;
/** The same for their text: a thousand forgotten labels of 1 MB would be a gigabyte. */
const SPARE_TEXT = 1024 * 1024;

export function createSeriesReader<Slot>(options: SeriesReaderOptions<Slot>): SeriesReader {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const entries = new Map<string, Entry<Slot>>();
  const head: Entry<Slot> = { key: "", labelled: false, slot: undefined, seen: 0, valued: 0, next: undefined };
  const cursor: Cursor = { at: 0 };
  let generation = 0;
  /** UTF-16 units of all keys. */
  let held = 0;

  function find(text: string, at: number, end: number, log: ProblemLog): Entry<Slot> | undefined {
    const stop = seriesEnd(text, at, end);
    const known = stop < 0 ? undefined : entries.get(text.slice(at, stop));
    if (known !== undefined) return known;
    const series = readSeries(text, at, end, limits.labels);
    if (!series.ok) {
      log.at(series.error.at, series.error.code, series.error.message);
      return undefined;
    }
    const key = detach(text, at, series.value.end);
    // Read again out of the copy: labels that were kept, cut from the page, would keep the page.
    const own = readSeries(key, 0, key.length, limits.labels);
    const { name, labels } = own.ok ? own.value : series.value;
    const entry: Entry<Slot> = {
      key,
      labelled: key.endsWith("}"),
      slot: options.resolve(name, labels),
      seen: 0,
      valued: 0,
      next: undefined,
    };
    if (!entries.has(key)) held += key.length;
    entries.set(key, entry);
    return entry;
  }

  function readValue(text: string, entry: Entry<Slot>, start: number, end: number, format: PageFormat, log: ProblemLog): void {
    const at = start + entry.key.length;
    cursor.at = skipBlanks(text, at, end);
    const from = cursor.at;
    const value = from < end ? readNumber(text, cursor, end) : undefined;
    if (value === undefined) return log.at(from, "value", "a sample has a number as value");
    if (cursor.at < end) {
      const tail = readTail(text, cursor.at, end, format, limits.labels);
      if (!tail.ok) return log.at(tail.error.at, tail.error.code, tail.error.message);
    }
    if (entry.valued === generation) return log.at(start, "duplicate", "the series stands twice on the page; the first is kept");
    entry.valued = generation;
    if (entry.slot !== undefined) options.store(entry.slot, value);
  }

  function sweep(seen: number, size: number): void {
    if (entries.size <= 2 * seen + SPARE_ENTRIES && held <= 2 * size + SPARE_TEXT) return;
    for (const [key, entry] of entries) {
      if (entry.seen === generation) continue;
      entries.delete(key);
      held -= key.length;
    }
  }

  function read(text: string, format: PageFormat = "auto"): PageRead {
    const log = createProblemLog(text);
    generation++;
    if (text.length > limits.size) {
      log.page("too-large", `the page has ${text.length} characters, at most ${limits.size} are read`);
      return { samples: 0, problems: log.kept, problemCount: log.count() };
    }
    let samples = 0;
    let previous = head;
    let ended = false;
    for (let start = 0, next = 0; start < text.length; start = next) {
      const newline = text.indexOf("\n", start);
      const end = newline < 0 ? text.length : newline;
      next = end + 1;
      const c = text.charCodeAt(start);
      if (c === NEWLINE) continue;
      if (c === HASH) {
        if (!isEof(text, start, end, format)) continue;
        ended = true;
        if (skipSpace(text, next) < text.length) log.at(next, "after-eof", "text after # EOF is not read");
        break;
      }
      const expected = previous.next;
      const hit = expected !== undefined && matches(text, start, end, expected);
      const at = hit ? start : skipBlanks(text, start, end);
      if (at >= end) continue;
      if (++samples > limits.samples) {
        log.at(start, "too-many-samples", `more than ${limits.samples} samples; the rest of the page is not read`);
        break;
      }
      const entry = hit ? expected : find(text, at, end, log);
      if (entry === undefined) continue;
      if (entry.slot !== undefined) readValue(text, entry, at, end, format, log);
      entry.seen = generation;
      if (!hit) previous.next = entry;
      previous = entry;
    }
    if (format === "openmetrics" && !ended) log.page("no-eof", "an OpenMetrics page ends with # EOF; this one may be cut off");
    // A successor from an earlier page would keep alive, through its own, everything that ever stood on one.
    previous.next = undefined;
    sweep(samples, text.length);
    return { samples, problems: log.kept, problemCount: log.count() };
  }

  return { read, cached: () => entries.size };
}

function matches<Slot>(text: string, start: number, end: number, entry: Entry<Slot>): boolean {
  const after = start + entry.key.length;
  if (after >= end || !text.startsWith(entry.key, start)) return false;
  if (entry.labelled) return true;
  // "name {a="b"} 1" is legal: there the name alone is not the whole series text.
  return isBlank(text.charCodeAt(after)) && text.charCodeAt(skipBlanks(text, after, end)) !== OPEN;
}

const EOF = /^# EOF\r?$/;
/** In the Prometheus format "# EOF" is a comment like any other. */
export const isEof = (text: string, start: number, end: number, format: PageFormat): boolean =>
  format !== "prometheus" && end - start <= 6 && end - start >= 5 && EOF.test(text.slice(start, end));

export function skipSpace(text: string, at: number): number {
  let next = at;
  while (next < text.length && (isBlank(text.charCodeAt(next)) || text.charCodeAt(next) === NEWLINE)) next++;
  return next;
}

/** A copy of the text. A plain slice would keep the whole page alive for as long as the cache holds the key. */
function detach(text: string, start: number, end: number): string {
  let copy = "";
  const units: number[] = [];
  for (let i = start; i < end; i++) {
    units.push(text.charCodeAt(i));
    if (units.length === 4096 || i === end - 1) {
      copy += String.fromCharCode(...units);
      units.length = 0;
    }
  }
  return copy;
}
