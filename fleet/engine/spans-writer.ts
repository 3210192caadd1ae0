import {
  ROOT_CONTEXT,
  TraceFlags,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanKind,
  type Tracer,
} from "@opentelemetry/api";
import type { EngineStart, Leg } from "./messages.ts";

export interface SpanWriter {
  readonly tracer: Tracer;
  readonly start: EngineStart;
  readonly pid: number;
}

/** The context a W3C traceparent header would have made. */
export function remoteParent(leg: Leg): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: leg.traceId,
    spanId: leg.parentSpanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

export interface SpanDraft {
  readonly name: string;
  readonly kind: SpanKind;
  readonly start: number;
  readonly end: number;
  readonly attributes?: Attributes;
  readonly links?: Link[];
}

/** Starts and ends a span at the given Unix seconds; returns it for children and links. */
export function writeSpan(tracer: Tracer, draft: SpanDraft, parent: Context): Span {
  const span = tracer.startSpan(
    draft.name,
    { kind: draft.kind, startTime: draft.start * 1000, attributes: draft.attributes ?? {}, links: draft.links ?? [] },
    parent,
  );
  span.end(Math.max(draft.start, draft.end) * 1000);
  return span;
}

export const under = (span: Span, parent: Context): Context => trace.setSpan(parent, span);
