/**
 * A bounds-checked reader of the protobuf wire format. It never throws and never reads past the message it is in: the first thing that does not
 * fit is remembered in `failure`, after which `more` is false and every read answers 0 or "". So decoders are plain loops.
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
  readonly failure: { readonly offset: number; readonly message: string } | undefined;
}

const utf8 = new TextDecoder();
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
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
      return decodeText(bytes, start, at);
    },
    hex() {
      const n = length();
      let out = "";
      for (let i = at; i < at + n; i++) out += HEX[bytes[i] ?? 0];
      at += n;
      return out;
    },
    get failure() {
      return failure;
    },
  };
}

function fromParts(low: number, middle: number, high: number): number {
  if (high < 128) return (high * TWO_28 + middle) * TWO_28 + low;
  return -(((255 - high) * TWO_28 + (TWO_28 - 1 - middle)) * TWO_28 + (TWO_28 - 1 - low) + 1);
}

/** Names and keys are short ASCII: building them here is several times faster than TextDecoder, which takes over otherwise. */
function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 64) return utf8.decode(bytes.subarray(start, end));
  let out = "";
  for (let i = start; i < end; i++) {
    const b = bytes[i] ?? 0;
    if (b > 127) return utf8.decode(bytes.subarray(start, end));
    out += String.fromCharCode(b);
  }
  return out;
}
