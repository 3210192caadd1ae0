/** What we keep of an ExportTraceServiceRequest: the fields that request timelines need, nothing else. */

export type AttributeValue = string | number | boolean;
export type Attributes = ReadonlyMap<string, AttributeValue>;

export interface TraceBatch {
  readonly resources: readonly ResourceSpans[];
  /** Spans kept. */
  readonly spans: number;
  /** Spans left out: over the limit, or without a valid trace id, span id or time. */
  readonly dropped: number;
  /** Spans counted but not looked into: their trace is outside the sample. */
  readonly sampledOut: number;
}

/** Head sampling: whether this trace (lowercase hex) is looked into. */
export type KeepTrace = (traceId: string) => boolean;

export interface ResourceSpans {
  readonly service?: string;
  readonly instance?: string;
  readonly attributes: Attributes;
  readonly spans: readonly Span[];
}

export interface Span {
  /** Lowercase hex. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** Of the instrumentation scope. */
  readonly scope: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  /** Unix seconds. A double resolves 0.24 µs there, finer than any clock we compare. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  /** Status code is "error". */
  readonly error: boolean;
}

export interface OtlpError {
  readonly code: "too-large" | "malformed";
  /** In bytes (protobuf) or 0 (JSON). */
  readonly offset: number;
  readonly message: string;
}

export interface TraceLimits {
  /** Bytes or characters of one request. */
  readonly size: number;
  readonly spans: number;
  /** Kept per span or resource. */
  readonly attributes: number;
  /** Characters of one string; longer ones are left out, not cut: half an id is a wrong id. */
  readonly text: number;
  /** Span attributes to keep. */
  readonly wanted: ReadonlySet<string>;
}

const SPAN_ATTRIBUTES = [
  // vLLM and SGLang request spans
  "gen_ai.latency.time_to_first_token",
  "gen_ai.latency.e2e",
  "gen_ai.latency.time_in_queue",
  "gen_ai.latency.time_in_model_prefill",
  "gen_ai.latency.time_in_model_decode",
  "gen_ai.latency.time_in_model_inference",
  "gen_ai.latency.kv_cache_transfer_time",
  "gen_ai.usage.prompt_tokens",
  "gen_ai.usage.completion_tokens",
  "gen_ai.usage.cached_tokens",
  "gen_ai.usage.input_tokens",
  "gen_ai.usage.output_tokens",
  "gen_ai.request.id",
  "gen_ai.request.model",
  "gen_ai.response.model",
  // SGLang
  "module",
  "rid",
  "bootstrap_room",
  "thread_label",
  // Dynamo frontend
  "model",
  "input_tokens",
  "output_tokens",
  "ttft_ms",
  "avg_itl_ms",
  // llm-d sidecar
  "llm_d.pd_proxy.true_ttft_ms",
  "llm_d.pd_proxy.request_id",
];

/** vLLM sends up to 512 spans a batch, SGLang 64; an OpenTelemetry collector in between may join many. */
export const DEFAULT_TRACE_LIMITS: TraceLimits = {
  size: 16 * 1024 * 1024,
  spans: 20_000,
  attributes: 64,
  text: 4096,
  wanted: new Set(SPAN_ATTRIBUTES),
};

/** OTLP ids: 16 and 8 bytes, all zero meaning "none". */
export const isTraceId = (hex: string): boolean => /^[0-9a-f]{32}$/.test(hex) && !/^0+$/.test(hex);
export const isSpanId = (hex: string): boolean => /^[0-9a-f]{16}$/.test(hex) && !/^0+$/.test(hex);

/** A span is kept when it can be placed: ids valid, times set and in order. */
export function isPlaced(span: Pick<Span, "traceId" | "spanId" | "start" | "end">): boolean {
  return isTraceId(span.traceId) && isSpanId(span.spanId) && span.start > 0 && span.end >= span.start && Number.isFinite(span.end);
}

export function toResource(attributes: Attributes, spans: readonly Span[]): ResourceSpans {
  const service = attributes.get("service.name");
  const instance = attributes.get("service.instance.id");
  return {
    ...(typeof service === "string" ? { service } : {}),
    ...(typeof instance === "string" ? { instance } : {}),
    attributes,
    spans,
  };
}
