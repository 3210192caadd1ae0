import type { SpanFacts } from "./request-half.ts";
import { known, numberAttribute } from "./span-numbers.ts";
import type { Span } from "./trace.ts";

/** What stands in front of the engines sees the user's own first token: the frontend of Dynamo and the P/D sidecar of llm-d. */

type Optional = Omit<SpanFacts, "trace" | "start" | "end" | "role">;

export function readDynamoSpan(span: Span): SpanFacts | undefined {
  if (span.name !== "http-request") return undefined;
  const ttft = numberAttribute(span, "ttft_ms");
  const outputTokens = numberAttribute(span, "output_tokens");
  const itl = numberAttribute(span, "avg_itl_ms");
  // Health checks and model listings are http-request spans too; only generations have these.
  if (ttft === undefined && outputTokens === undefined) return undefined;
  return {
    trace: span.traceId,
    role: "frontend",
    start: span.start,
    end: span.end,
    ...known<Optional>({
      firstToken: ttft === undefined ? undefined : ttft / 1000,
      decode: itl === undefined || outputTokens === undefined ? undefined : (itl / 1000) * Math.max(0, outputTokens - 1),
      promptTokens: numberAttribute(span, "input_tokens"),
      outputTokens,
      error: span.error ? true : undefined,
    }),
  };
}

export function readLlmdSpan(span: Span): SpanFacts | undefined {
  if (span.name !== "forward_request") return undefined;
  const ttft = numberAttribute(span, "llm_d.pd_proxy.true_ttft_ms");
  if (ttft === undefined) return undefined;
  return {
    trace: span.traceId,
    role: "frontend",
    start: span.start,
    end: span.end,
    ...known<Optional>({ firstToken: ttft / 1000, error: span.error ? true : undefined }),
  };
}
