import type { SpanFacts } from "./request-half.ts";
import { known, numberAttribute } from "./span-numbers.ts";
import type { Span } from "./trace.ts";

/**
 * vLLM: one `llm_request` span per finished request, durations in seconds as attributes. It has no KV attribute: on decode the wait for the KV
 * pull is inside `queue`, which the join with the prefill half may read as an upper bound of the transfer. Start-up and loading spans come on the
 * same exporter and are told apart by name.
 */
export function readVllmSpan(span: Span): SpanFacts | undefined {
  if (span.name !== "llm_request") return undefined;
  const at = (...keys: string[]): number | undefined => numberAttribute(span, ...keys);
  return {
    trace: span.traceId,
    start: span.start,
    end: span.end,
    ...known<Omit<SpanFacts, "trace" | "start" | "end" | "role">>({
      firstToken: at("gen_ai.latency.time_to_first_token"),
      queue: at("gen_ai.latency.time_in_queue"),
      prefill: at("gen_ai.latency.time_in_model_prefill"),
      kvTransfer: at("gen_ai.latency.kv_cache_transfer_time"),
      decode: at("gen_ai.latency.time_in_model_decode"),
      promptTokens: at("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
      cachedTokens: at("gen_ai.usage.cached_tokens"),
      outputTokens: at("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
      error: span.error ? true : undefined,
    }),
  };
}
