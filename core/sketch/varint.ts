/** Bytes in and out. Reads never go past the end: they answer undefined. Integers are varints up to 2^53, so 32-bit operators are not used. */

export interface ByteWriter {
  byte(value: number): void;
  varint(value: number): void;
  zigzag(value: number): void;
  float64(value: number): void;
  bytes(): Uint8Array;
}

export function createByteWriter(capacity: number): ByteWriter {
  let buffer = new Uint8Array(Math.max(capacity, 16));
  let at = 0;
  const reserve = (n: number): void => {
    if (at + n <= buffer.length) return;
    const larger = new Uint8Array(Math.max(buffer.length * 2, at + n));
    larger.set(buffer);
    buffer = larger;
  };
  const varint = (value: number): void => {
    reserve(10);
    let rest = value;
    while (rest >= 128) {
      buffer[at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    buffer[at++] = rest;
  };
  return {
    byte(value) {
      reserve(1);
      buffer[at++] = value;
    },
    varint,
    zigzag: (value) => varint(value < 0 ? -2 * value - 1 : 2 * value),
    float64(value) {
      reserve(8);
      new DataView(buffer.buffer).setFloat64(at, value, true);
      at += 8;
    },
    bytes: () => buffer.slice(0, at),
  };
}

export interface ByteReader {
  byte(): number | undefined;
  varint(): number | undefined;
  zigzag(): number | undefined;
  float64(): number | undefined;
  offset(): number;
}

export function createByteReader(bytes: Uint8Array): ByteReader {
  let at = 0;
  const varint = (): number | undefined => {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 8; i++) {
      const b = bytes[at];
      if (b === undefined) return undefined;
      at++;
      value += (b % 128) * factor;
      if (b < 128) return Number.isSafeInteger(value) ? value : undefined;
      factor *= 128;
    }
    return undefined;
  };
  return {
    byte: () => (at < bytes.length ? bytes[at++] : undefined),
    varint,
    zigzag() {
      const z = varint();
      if (z === undefined) return undefined;
      return z % 2 === 0 ? z / 2 : -(z + 1) / 2;
    },
    float64() {
      if (at + 8 > bytes.length) return undefined;
      const value = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0, true);
      at += 8;
      return value;
    },
    offset: () => at,
  };
}
