import { err, ok, type Result } from "../result.ts";
import {
  DEFAULT_TRACE_LIMITS,
  isPlaced,
  isSpanId,
  toResource,
  type AttributeValue,
  type KeepTrace,
  type OtlpError,
  type ResourceSpans,
  type Span,
  type TraceBatch,
  type TraceLimits,
} from "./trace.ts";

/** ExportTraceServiceRequest from OTLP/JSON: hex ids, 64-bit integers as strings or numbers, enums as integers. */
export function decodeTracesJson(
  text: string,
  limits: TraceLimits = DEFAULT_TRACE_LIMITS,
  keep?: KeepTrace,
): Result<TraceBatch, OtlpError> {
  if (text.length > limits.size)
    return err({ code: "too-large", offset: 0, message: `${text.length} characters, at most ${limits.size} are read` });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return err({ code: "malformed", offset: 0, message: error instanceof Error ? error.message : "not JSON" });
  }
  const root = record(document);
  if (root === undefined) return err({ code: "malformed", offset: 0, message: "an object with resourceSpans is expected" });
  const tally: Tally = { spans: 0, dropped: 0, sampledOut: 0 };
  const resources: ResourceSpans[] = [];
  for (const item of list(root["resourceSpans"])) resources.push(readResourceSpans(item, tally, limits, keep));
  return ok({ resources, ...tally });
}

interface Tally {
  spans: number;
  dropped: number;
  sampledOut: number;
}

type Json = Readonly<Record<string, unknown>>;

function readResourceSpans(item: unknown, tally: Tally, limits: TraceLimits, keep: KeepTrace | undefined): ResourceSpans {
  const node = record(item) ?? {};
  const attributes = readAttributes(record(node["resource"])?.["attributes"], undefined, limits);
  const spans: Span[] = [];
  for (const scopeItem of list(node["scopeSpans"])) {
    const scopeSpans = record(scopeItem) ?? {};
    const scope = text(record(scopeSpans["scope"])?.["name"]) ?? "";
    for (const spanItem of list(scopeSpans["spans"])) {
      const node = record(spanItem) ?? {};
      if (keep !== undefined && !keep(hex(node["traceId"]))) {
        tally.sampledOut++;
        continue;
      }
      const span = tally.spans < limits.spans ? readSpan(node, scope, limits) : undefined;
      if (span === undefined || !isPlaced(span)) tally.dropped++;
      else {
        tally.spans++;
        spans.push(span);
      }
    }
  }
  return toResource(attributes, spans);
}

function readSpan(node: Json, scope: string, limits: TraceLimits): Span {
  const parent = hex(node["parentSpanId"]);
  return {
    traceId: hex(node["traceId"]),
    spanId: hex(node["spanId"]),
    ...(isSpanId(parent) ? { parentSpanId: parent } : {}),
    name: text(node["name"]) ?? "",
    scope,
    kind: integer(node["kind"]) ?? 0,
    start: (integer(node["startTimeUnixNano"]) ?? 0) / 1e9,
    end: (integer(node["endTimeUnixNano"]) ?? 0) / 1e9,
    attributes: readAttributes(node["attributes"], limits.wanted, limits),
    error: integer(record(node["status"])?.["code"]) === 2,
  };
}

function readAttributes(items: unknown, wanted: ReadonlySet<string> | undefined, limits: TraceLimits): Map<string, AttributeValue> {
  const attributes = new Map<string, AttributeValue>();
  for (const item of list(items)) {
    const node = record(item);
    const key = text(node?.["key"]);
    if (key === undefined || key.length > limits.text || !(wanted?.has(key) ?? true) || attributes.size >= limits.attributes) continue;
    const value = readAny(record(node?.["value"]) ?? {});
    if (value !== undefined && !(typeof value === "string" && value.length > limits.text)) attributes.set(key, value);
  }
  return attributes;
}

function readAny(node: Json): AttributeValue | undefined {
  const { stringValue, boolValue, intValue, doubleValue } = node;
  if (typeof stringValue === "string") return stringValue;
  if (typeof boolValue === "boolean") return boolValue;
  if (intValue !== undefined) return integer(intValue);
  if (typeof doubleValue === "number") return doubleValue;
  // JSON has no NaN and no infinities: proto3 writes them as strings.
  return typeof doubleValue === "string" ? Number(doubleValue) : undefined;
}

const record = (value: unknown): Json | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : undefined;
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const hex = (value: unknown): string => (typeof value === "string" ? value.toLowerCase() : "");

function integer(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d{1,20}$/.test(value) ? Number(value) : undefined;
}
