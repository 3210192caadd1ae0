import { readText } from "./text-cache.ts";

/**
 * A bounds-checked reader of the protobuf wire format. It never throws and never reads past the message it is in: the first thing that does not
 * fit is remembered as the failure, after which `more` is false and every read answers 0 or "". So decoders are plain loops.
 */
export interface ProtoReader {
  /** Whether the current message has another field. */
  more(): boolean;
  /** Field number · 8 + wire type. */
  tag(): number;
  /** Steps into the length-delimited field at hand; give the result back to `leave`. */
  enter(): number;
  leave(outer: number): void;
  skip(tag: number): void;
  varint(): number;
  /** Signed: negative numbers are ten bytes of two's complement, of which a double would lose the low bits. */
  int64(): number;
  /** Unsigned, as a double: exact to 2^53. */
  fixed64(): number;
  double(): number;
  text(): string;
  hex(): string;
  failure(): { readonly offset: number; readonly message: string } | undefined;
}

const DIGITS = "0123456789abcdef";
const TWO_32 = 2 ** 32;
const TWO_28 = 2 ** 28;

export function createProtoReader(bytes: Uint8Array): ProtoReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let limit = bytes.length;
  let failure: { offset: number; message: string } | undefined;

  const fail = (message: string): number => {
    failure ??= { offset: at, message };
    at = limit;
    return 0;
  };
  const has = (n: number): boolean => failure === undefined && at + n <= limit;
  const varint = (): number => {
    // Nearly all tags, lengths and enums are one byte.
    const first = at < limit ? (bytes[at] ?? 0) : 128;
    if (first < 128 && failure === undefined) {
      at++;
      return first;
    }
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (!has(1)) return fail("a number is cut off");
      const b = bytes[at++] ?? 0;
      value += (b & 127) * factor;
      if (b < 128) return value;
      factor *= 128;
    }
    return fail("a number is longer than 10 bytes");
  };
  const int64 = (): number => {
    // Bits 0..27, 28..55 and 56..63, so that the complement is taken on exact integers.
    const parts: [number, number, number] = [0, 0, 0];
    for (let i = 0; i < 10; i++) {
      if (!has(1)) return fail("a number is cut off");
      const b = bytes[at++] ?? 0;
      const part = i < 4 ? 0 : i < 8 ? 1 : 2;
      parts[part] += (b & 127) * 128 ** (i % 4);
      if (b < 128) return fromParts(parts[0], parts[1], parts[2] & 255);
    }
    return fail("a number is longer than 10 bytes");
  };
  const length = (): number => {
    const n = varint();
    return has(n) ? n : fail(`a field of ${n} bytes reaches beyond its message`);
  };
  const advance = (n: number): void => {
    if (has(n)) at += n;
    else fail("a field is cut off");
  };

  return {
    more: () => failure === undefined && at < limit,
    tag: varint,
    enter() {
      const n = length();
      const outer = limit;
      limit = at + n;
      return outer;
    },
    leave(outer) {
      at = limit;
      limit = outer;
      if (failure !== undefined) at = limit;
    },
    skip(tag) {
      switch (tag % 8) {
        case 0:
          varint();
          return;
        case 1:
          return advance(8);
        case 2:
          return advance(length());
        case 5:
          return advance(4);
        default:
          fail(`wire type ${tag % 8} is not supported`);
      }
    },
    varint,
    int64,
    fixed64() {
      if (!has(8)) return fail("a fixed64 is cut off");
      const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
      at += 8;
      return value;
    },
    double() {
      if (!has(8)) return fail("a double is cut off");
      const value = view.getFloat64(at, true);
      at += 8;
      return value;
    },
    text() {
      const n = length();
      const start = at;
      at += n;
      return readText(bytes, start, at);
    },
    hex() {
      const n = length();
      const start = at;
      at += n;
      return toHex(bytes, start, at);
    },
    failure: () => failure,
  };
}

function fromParts(low: number, middle: number, high: number): number {
  if (high < 128) return (high * TWO_28 + middle) * TWO_28 + low;
  return -(((255 - high) * TWO_28 + (TWO_28 - 1 - middle)) * TWO_28 + (TWO_28 - 1 - low) + 1);
}

/** Longest id is a trace id's 16 bytes; a longer field is no id, and is read whole only to be refused. */
const hexUnits = new Array<number>(32).fill(0);

function toHex(bytes: Uint8Array, start: number, end: number): string {
  if (end - start !== 16) return shortHex(bytes, start, end);
  for (let i = start, to = 0; i < end; i++) {
    const b = bytes[i] ?? 0;
    hexUnits[to++] = DIGITS.charCodeAt(b >> 4);
    hexUnits[to++] = DIGITS.charCodeAt(b & 15);
  }
  return String.fromCharCode.apply(null, hexUnits);
}

function shortHex(bytes: Uint8Array, start: number, end: number): string {
  const units: number[] = [];
  // An id that is too long stays too long when cut behind that.
  for (let i = start; i < Math.min(end, start + 17); i++) {
    const b = bytes[i] ?? 0;
    units.push(DIGITS.charCodeAt(b >> 4), DIGITS.charCodeAt(b & 15));
  }
  return String.fromCharCode.apply(null, units);
}
