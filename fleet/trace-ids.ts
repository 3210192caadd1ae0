/**
 * Identifiers of a request, derived from seed and request number: both engines that serve it, and a re-run
 * with the same seed, come to the same ones.
 */
export interface RequestIds {
  readonly requestId: string;
  readonly traceId: string;
  readonly parentSpanId: string;
  /** bootstrap_room of SGLang: a 63-bit number in hex. */
  readonly room: string;
}

/** 32-bit finalizer of MurmurHash3: full avalanche, no state. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function requestIds(seed: number, request: number): RequestIds {
  const word = (salt: number): string =>
    mix(mix(seed + salt * 0x9e3779b9) ^ mix(request * 31 + salt))
      .toString(16)
      .padStart(8, "0");
  const words = (first: number, count: number): string => Array.from({ length: count }, (_, i) => word(first + i)).join("");
  return {
    requestId: words(1, 4),
    traceId: words(11, 4),
    parentSpanId: words(21, 2),
    room: `0x${(mix(seed ^ mix(request)) & 0x7fffffff).toString(16)}${word(31)}`,
  };
}
