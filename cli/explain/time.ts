import { parseDuration } from "../../core/duration.ts";

/** Below this a time is seconds of a trace, not a date: 2001-09-09. */
const FIRST_DATE = 1e9;
const DAY = 86_400;

/** A moment of a journal as people read it: a date where it is one, else seconds of the trace. */
export const timeText = (at: number): string => (at >= FIRST_DATE ? new Date(at * 1000).toISOString() : `${at.toFixed(1)} s`);

export interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * TIME of `--at` → seconds as the journal counts them; undefined when it is no time. Takes Unix (or trace) seconds, an ISO
 * date and time, a time of day in UTC (its last occurrence in the journal), a duration since the journal's start, or `last`.
 */
export function parseTime(text: string, span: Span): number | undefined {
  const word = text.trim();
  if (word === "last") return span.last;
  if (/^\d+(\.\d+)?$/.test(word)) return Number(word);
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?Z?$/.exec(word);
  if (clock !== null) return onLastDay(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), span);
  const since = parseDuration(word.replace(/^\+/, ""));
  if (since !== undefined) return span.first + since;
  if (!/^\d{4}-\d{2}-\d{2}/.test(word)) return undefined;
  // A date without a zone is UTC, as the journal prints it; Date would read it as the machine's own.
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(word) || !word.includes(":") ? word : `${word}Z`;
  const parsed = Date.parse(zoned.replace(" ", "T"));
  return Number.isNaN(parsed) ? undefined : parsed / 1000;
}

function onLastDay(hours: number, minutes: number, seconds: number, span: Span): number | undefined {
  if (hours > 23 || minutes > 59 || seconds >= 60) return undefined;
  const today = Math.floor(span.last / DAY) * DAY + hours * 3600 + minutes * 60 + seconds;
  // Where the journal has no such time, the one just past its end is meant, not one before its start.
  return today <= span.last || today - DAY < span.first ? today : today - DAY;
}
