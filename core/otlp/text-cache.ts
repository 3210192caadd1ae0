const utf8 = new TextDecoder();

/** Attribute keys, span names and model names: a few tens of different texts make up most of what is read. */
const SLOTS = 1024;
/** Longer texts are prompts and ids, which do not repeat. */
const LONGEST = 64;
const cache = new Array<string>(SLOTS).fill("");

/**
 * UTF-8 → text. Short ASCII is looked up by a hash of its bytes, so that a text that repeats is never built again: strings were
 * half of the decoder's time and nearly all of its garbage. The cache holds at most 64 kB and only ever answers what the bytes say.
 */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > LONGEST) return utf8.decode(bytes.subarray(start, end));
  let hash = end - start;
  let high = 0;
  for (let i = start; i < end; i++) {
    const b = bytes[i] ?? 0;
    high |= b;
    hash = (Math.imul(hash, 31) + b) | 0;
  }
  if (high > 127) return utf8.decode(bytes.subarray(start, end));
  const slot = (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (SLOTS - 1);
  const known = cache[slot] ?? "";
  if (same(known, bytes, start, end)) return known;
  const text = String.fromCharCode.apply(null, Array.from(bytes.subarray(start, end)));
  cache[slot] = text;
  return text;
}

function same(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = start; i < end; i++) if (text.charCodeAt(i - start) !== bytes[i]) return false;
  return true;
}
