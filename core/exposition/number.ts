/** Where the next read starts; shared by the readers of one line so that they need not allocate. */
export interface Cursor {
  at: number;
}

const DOT = 46;
const MINUS = 45;
const ZERO = 48;
/** 10^0 .. 10^15: an integer below 2^53 divided by one of these is correctly rounded, because both are exact. */
const POWERS = Array.from({ length: 16 }, (_, i) => 10 ** i);
const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Reads a sample value at the cursor up to a blank or `end` and moves the cursor behind it. Undefined when it is not a number; NaN is one.
 * Plain decimals of at most 15 digits, nearly all of a page, never become a substring.
 */
export function readNumber(text: string, cursor: Cursor, end: number): number | undefined {
  const start = cursor.at;
  let at = start;
  const negative = text.charCodeAt(at) === MINUS;
  if (negative) at++;
  let mantissa = 0;
  let digits = 0;
  let point = -1;
  for (; at < end; at++) {
    const c = text.charCodeAt(at);
    if (c >= ZERO && c <= 57) {
      mantissa = mantissa * 10 + (c - ZERO);
      digits++;
    } else if (c === DOT && point < 0) point = at;
    else break;
  }
  const over = at >= end || isBlank(text.charCodeAt(at));
  if (!over || digits === 0 || digits > 15) return readSlow(text, cursor, end);
  cursor.at = at;
  const value = point < 0 ? mantissa : mantissa / (POWERS[at - point - 1] ?? 1);
  return negative ? -value : value;
}

function readSlow(text: string, cursor: Cursor, end: number): number | undefined {
  let at = cursor.at;
  while (at < end && !isBlank(text.charCodeAt(at))) at++;
  const token = text.slice(cursor.at, at);
  cursor.at = at;
  if (PLAIN.test(token)) return Number(token);
  switch (token.toLowerCase()) {
    case "nan":
      return Number.NaN;
    case "inf":
    case "+inf":
    case "infinity":
    case "+infinity":
      return Number.POSITIVE_INFINITY;
    case "-inf":
    case "-infinity":
      return Number.NEGATIVE_INFINITY;
    default:
      return undefined;
  }
}

/** Space, tab, and the carriage return of pages written with CRLF. */
export const isBlank = (c: number): boolean => c === 32 || c === 9 || c === 13;

export function skipBlanks(text: string, at: number, end: number): number {
  let next = at;
  while (next < end && isBlank(text.charCodeAt(next))) next++;
  return next;
}
