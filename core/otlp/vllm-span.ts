import type { SpanFacts } from "./request-half.ts";
import { firstNumber } from "./span-numbers.ts";
import type { Span } from "./trace.ts";

type Fact = "firstToken" | "queue" | "prefill" | "kvTransfer" | "decode" | "promptTokens" | "cachedTokens" | "outputTokens";

const ATTRIBUTES: readonly (readonly [Fact, ...string[]])[] = [
  ["firstToken", "gen_ai.latency.time_to_first_token"],
  ["queue", "gen_ai.latency.time_in_queue"],
  ["prefill", "gen_ai.latency.time_in_model_prefill"],
  ["kvTransfer", "gen_ai.latency.kv_cache_transfer_time"],
  ["decode", "gen_ai.latency.time_in_model_decode"],
  ["promptTokens", "gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"],
  ["cachedTokens", "gen_ai.usage.cached_tokens"],
  ["outputTokens", "gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"],
];
const KEYS = ATTRIBUTES.map(([fact, ...keys]) => ({ fact, keys }));

/**
 * vLLM: one `llm_request` span per finished request, durations in seconds as attributes. It has no KV attribute: on decode the wait for the KV
 * pull is inside `queue`, which the join with the prefill half may read as an upper bound of the transfer. Start-up and loading spans come on the
 * same exporter and are told apart by name. Written in place: there are hundreds a second.
 */
export function readVllmSpan(span: Span): SpanFacts | undefined {
  if (span.name !== "llm_request") return undefined;
  const facts: { -readonly [K in keyof SpanFacts]: SpanFacts[K] } = { trace: span.traceId, start: span.start, end: span.end };
  for (const { fact, keys } of KEYS) {
    const value = firstNumber(span, keys);
    if (value !== undefined) facts[fact] = value;
  }
  if (span.error) facts.error = true;
  return facts;
}
