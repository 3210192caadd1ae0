import { SpanKind } from "@opentelemetry/api";
import type { Leg } from "./messages.ts";
import { remoteParent, writeSpan, type SpanWriter } from "./spans-writer.ts";

/** max_tokens that clients commonly send; the trace does not say. */
const MAX_TOKENS = 2048;

/**
 * vLLM writes one span per finished request, `llm_request`; there is no model name, event or KV attribute. A
 * decode engine's time in queue includes the KV pull.
 */
export function vllmSpans({ tracer, start }: SpanWriter, leg: Leg): void {
  const prefill = start.role === "prefill";
  const attributes = {
    "gen_ai.latency.time_to_first_token": leg.firstToken - leg.arrival,
    "gen_ai.latency.e2e": leg.end - leg.arrival,
    "gen_ai.latency.time_in_queue": leg.scheduled - leg.arrival,
    "gen_ai.usage.prompt_tokens": leg.inputTokens,
    "gen_ai.usage.completion_tokens": prefill ? 1 : leg.outputTokens,
    "gen_ai.latency.time_in_model_prefill": leg.firstToken - leg.scheduled,
    "gen_ai.latency.time_in_model_decode": leg.end - leg.firstToken,
    "gen_ai.latency.time_in_model_inference": leg.end - leg.scheduled,
    "gen_ai.request.id": `chatcmpl-${leg.requestId}`,
    "gen_ai.request.top_p": 0.95,
    "gen_ai.request.max_tokens": prefill ? 1 : MAX_TOKENS,
    "gen_ai.request.temperature": 0.7,
    "gen_ai.request.n": 1,
  };
  writeSpan(tracer, { name: "llm_request", kind: SpanKind.SERVER, start: leg.arrival, end: leg.end, attributes }, remoteParent(leg));
}
