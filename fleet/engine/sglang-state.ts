import type { EngineStart, EngineUpdate } from "./messages.ts";
import type { Page } from "./page.ts";

const PAGE_TOKENS = 64;
const CONTEXT_TOKENS = 40_960;
const GB = 1e9;
/** bf16 weights of an 8-billion-parameter model, captured graphs, and what an empty 141 GB card offers. */
const WEIGHTS_GB = 15.4;
const GRAPH_GB = 1.9;
const FREE_AT_START_GB = 131.2;

/** Gauges that a running engine never changes. */
export function setSglangConstants(page: Page, start: EngineStart): void {
  const capacity = start.kvCapacityTokens;
  page.set("sglang:max_total_num_tokens", capacity);
  page.set("sglang:weight_memory_usage_gb", WEIGHTS_GB);
  page.set("sglang:kv_cache_memory_usage_gb", (capacity * start.kvBytesPerToken) / GB);
  page.set("sglang:graph_memory_usage_gb", GRAPH_GB, "decode");
  page.set("sglang:page_size", PAGE_TOKENS);
  page.set("sglang:num_pages", Math.floor(capacity / PAGE_TOKENS));
  page.set("sglang:context_len", CONTEXT_TOKENS);
  page.set("sglang:startup_available_gpu_memory_gb", FREE_AT_START_GB);
  page.set("sglang:kv_available_tokens", capacity);
}

/**
 * Gauges of the moment. A real engine refreshes them every 40 decode iterations and keeps old values while
 * idle; ours are refreshed with every update.
 */
export function setSglangGauges(page: Page, start: EngineStart, update: EngineUpdate): void {
  const { gauges } = update;
  const capacity = start.kvCapacityTokens;
  const used = Math.min(capacity, gauges.kvTokens);
  page.set("sglang:num_running_reqs", gauges.running);
  page.set("sglang:num_queue_reqs", gauges.waiting);
  page.set("sglang:num_prefill_inflight_queue_reqs", gauges.sending);
  page.set("sglang:num_decode_transfer_queue_reqs", gauges.waitingForKv);
  page.set("sglang:token_usage", used / capacity);
  page.set("sglang:full_token_usage", used / capacity);
  page.set("sglang:num_used_tokens", used);
  page.set("sglang:kv_used_tokens", used);
  page.set("sglang:kv_available_tokens", capacity - used);
  if (start.role === "decode") setDecode(page, update);
  else setPrefill(page, update);
}

function setDecode(page: Page, { gauges, steps }: EngineUpdate): void {
  page.set("sglang:decode_sum_seq_lens", gauges.kvTokens);
  page.set("sglang:is_cuda_graph", 1);
  const busy = steps.reduce((sum, [count, seconds]) => sum + count * seconds, 0);
  const tokens = steps.reduce((sum, [count, , sequences]) => sum + count * sequences, 0);
  // Idle engines keep the last throughput: the gauge goes stale, as the real one does.
  if (busy > 0) page.set("sglang:gen_throughput", tokens / busy);
}

function setPrefill(page: Page, { finished }: EngineUpdate): void {
  const prompt = finished.reduce((sum, leg) => sum + leg.inputTokens, 0);
  const cached = finished.reduce((sum, leg) => sum + leg.cachedTokens, 0);
  if (prompt > 0) page.set("sglang:cache_hit_rate", cached / prompt);
}
