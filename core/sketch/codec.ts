import type { SketchData } from "../distribution.ts";
import { err, ok, type Result } from "../result.ts";
import { createByteReader, createByteWriter, type ByteReader } from "./varint.ts";

/**
 * Compact form: version, flags, zigzag scale, zigzag offset, bucket count, zeros, counts, then sum, min, max as float64 (little-endian).
 * Whole counts are varints (most buckets of a sparse sketch then cost one byte); fractional ones, flag bit 0, are float64.
 * The total count is not stored: it is the sum of what is.
 */
const VERSION = 1;
const FRACTIONAL = 1;
/** What the wire accepts; more is a forged or damaged message. */
const MAX_DECODED_BUCKETS = 4096;

export interface CodecError {
  readonly code: "truncated" | "version" | "range" | "trailing";
  readonly offset: number;
  readonly message: string;
}

export function encodeSketch(data: SketchData): Uint8Array {
  const fractional = ![data.zeros, ...data.counts].every((c) => Number.isSafeInteger(c) && c >= 0);
  const writer = createByteWriter(40 + data.counts.length * (fractional ? 8 : 2));
  writer.byte(VERSION);
  writer.byte(fractional ? FRACTIONAL : 0);
  writer.zigzag(data.scale);
  writer.zigzag(data.offset);
  writer.varint(data.counts.length);
  const write = fractional ? writer.float64 : writer.varint;
  for (const c of [data.zeros, ...data.counts]) write(c);
  for (const v of [data.sum, data.min, data.max]) writer.float64(v);
  return writer.bytes();
}

export function decodeSketch(bytes: Uint8Array): Result<SketchData, CodecError> {
  const reader = createByteReader(bytes);
  const version = reader.byte();
  if (version !== undefined && version !== VERSION) return fail("version", 0, `sketch version ${version}, this build reads ${VERSION}`);
  const head = readHead(reader);
  if (head === undefined) return truncated(reader);
  const { fractional, scale, offset, length } = head;
  if (length > MAX_DECODED_BUCKETS) return fail("range", reader.offset(), `${length} buckets, at most ${MAX_DECODED_BUCKETS}`);
  if (scale < -10 || scale > 20) return fail("range", reader.offset(), `scale ${scale} outside -10..20`);
  const counts: number[] = [];
  for (let i = 0; i <= length; i++) {
    const c = fractional ? reader.float64() : reader.varint();
    if (c === undefined) return truncated(reader);
    if (!(c >= 0 && Number.isFinite(c))) return fail("range", reader.offset(), `count ${c} is not a finite number ≥ 0`);
    counts.push(c);
  }
  const [sum, min, max] = [reader.float64(), reader.float64(), reader.float64()];
  if (sum === undefined || min === undefined || max === undefined) return truncated(reader);
  if (![sum, min, max].every(Number.isFinite)) return fail("range", reader.offset(), "sum, min or max is not finite");
  if (reader.offset() !== bytes.length) return fail("trailing", reader.offset(), `${bytes.length - reader.offset()} bytes after the end`);
  const [zeros = 0, ...rest] = counts;
  const count = counts.reduce((total, c) => total + c, 0);
  return ok({ scale, offset, counts: rest, zeros, sum, count, min, max });
}

function readHead(reader: ByteReader): { fractional: boolean; scale: number; offset: number; length: number } | undefined {
  const flags = reader.byte();
  const scale = reader.zigzag();
  const offset = reader.zigzag();
  const length = reader.varint();
  if (flags === undefined || scale === undefined || offset === undefined || length === undefined) return undefined;
  return { fractional: (flags & FRACTIONAL) !== 0, scale, offset, length };
}

const fail = (code: CodecError["code"], offset: number, message: string): Result<SketchData, CodecError> => err({ code, offset, message });
const truncated = (reader: ByteReader): Result<SketchData, CodecError> =>
  fail("truncated", reader.offset(), `the sketch ends at byte ${reader.offset()}, or holds a number beyond 2^53`);
