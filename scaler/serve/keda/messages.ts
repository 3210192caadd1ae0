import { err, ok, type Result } from "../../../core/result.ts";

/**
 * The few protobuf messages of KEDA's `externalscaler.ExternalScaler` service, read and written by hand: they are three strings
 * and a number, and a general codec would be a dependency of the scaler. The fixture test/fixtures/keda/externalscaler.proto
 * is the contract that the tests' client is made from.
 */
export interface ScaledObjectRef {
  readonly name: string;
  readonly namespace: string;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface MetricsRequest {
  readonly ref: ScaledObjectRef;
  readonly metricName: string;
}

interface Field {
  readonly number: number;
  /** Undefined for fields that are not length-delimited: these messages have none that we read. */
  readonly bytes: Buffer | undefined;
}

/** Metadata of a trigger is a handful of keys; more is not KEDA. */
const MAX_FIELDS = 200;
const VARINT_BYTES = 5;

export function decodeRef(message: Buffer): Result<ScaledObjectRef, string> {
  const parsed = fields(message);
  if (!parsed.ok) return parsed;
  let name = "";
  let namespace = "";
  const metadata = new Map<string, string>();
  for (const { number, bytes } of parsed.value) {
    if (bytes === undefined) continue;
    if (number === 1) name = bytes.toString("utf8");
    else if (number === 2) namespace = bytes.toString("utf8");
    else if (number === 3) {
      const entry = fields(bytes);
      if (!entry.ok) return entry;
      metadata.set(textOf(entry.value, 1), textOf(entry.value, 2));
    }
  }
  return ok({ name, namespace, metadata });
}

export function decodeMetricsRequest(message: Buffer): Result<MetricsRequest, string> {
  const parsed = fields(message);
  if (!parsed.ok) return parsed;
  const ref = decodeRef(parsed.value.findLast((field) => field.number === 1)?.bytes ?? Buffer.alloc(0));
  return ref.ok ? ok({ ref: ref.value, metricName: textOf(parsed.value, 2) }) : ref;
}

/** IsActiveResponse. False is never sent: proto3 would write it as nothing, and we answer an error instead. */
export const activeResponse = (): Buffer => Buffer.from([0x08, 1]);

/** GetMetricSpecResponse with one MetricSpec. */
export const metricSpecResponse = (name: string, target: number): Buffer => delimited(1, numbered(name, target));

/** GetMetricsResponse with one MetricValue. */
export const metricsResponse = (name: string, value: number): Buffer => delimited(1, numbered(name, value));

/**
 * MetricSpec and MetricValue share their shape: name = 1, int64 = 2, double = 3. The int64 is deprecated, but a KEDA from before
 * the double knows only that one; our values are whole numbers, so both say the same.
 */
function numbered(name: string, value: number): Buffer {
  const double = Buffer.alloc(9);
  double[0] = (3 << 3) | 1;
  double.writeDoubleLE(value, 1);
  return Buffer.concat([delimited(1, Buffer.from(name, "utf8")), Buffer.from([2 << 3]), varint(Math.round(value)), double]);
}

const delimited = (number: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

const textOf = (list: readonly Field[], number: number): string =>
  list.findLast((field) => field.number === number)?.bytes?.toString("utf8") ?? "";

/** The fields of one message in their order; unknown ones are passed over, as proto3 asks. */
function fields(message: Buffer): Result<Field[], string> {
  const found: Field[] = [];
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES; i++) {
      const byte = message[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    // Longer varints are 64-bit values, which no field that we read has.
    while ((message[at] ?? 0) >= 0x80) at++;
    at++;
    return value;
  };
  while (at < message.length) {
    if (found.length >= MAX_FIELDS) return err(`more than ${MAX_FIELDS} fields`);
    const key = read();
    const number = Math.floor(key / 8);
    const type = key % 8;
    let bytes: Buffer | undefined;
    if (type === 0) read();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const length = read();
      if (!(length <= message.length - at)) return err("a field is longer than its message");
      bytes = message.subarray(at, at + length);
      at += length;
    } else return err("not a protobuf message");
    if (!(at <= message.length) || number < 1) return err("the message ends within a field");
    found.push({ number, bytes });
  }
  return ok(found);
}
