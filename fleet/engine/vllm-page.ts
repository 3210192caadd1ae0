import { families, type Family, type Labels } from "./family.ts";
import type { EnginePage, PageContext } from "./engine-page.ts";
import type { EngineStart, EngineUpdate, FirstTokenEvent, Leg } from "./messages.ts";
import { pythonNumber } from "./number-text.ts";
import { Page } from "./page.ts";
import { VLLM_FAMILIES } from "./vllm-families.ts";

const BLOCK_TOKENS = 16;
/** NIXL reads one descriptor per layer and block and half of the cache (K, V); 32 layers of the default profile's model. */
const DESCRIPTORS_PER_BLOCK = 64;
/** Posting a transfer takes tens of microseconds plus a part per descriptor; the sample pages show a mean of 0.37 ms. */
const POST_SECONDS = 0.0003;

/**
 * vLLM's page. Its habits that matter: token counters, TTFT and gaps between tokens are live, every
 * `request_*` histogram and e2e is observed when the request ends; a prefill engine runs requests with
 * max_tokens 1; a decode engine counts the prompt again, as tokens that came over the KV connector, and its
 * queue time includes the wait for KV.
 */
export function vllmPage(context: PageContext): EnginePage {
  const { start } = context;
  const page = new Page(
    [...VLLM_FAMILIES, cacheConfigFamily()],
    { engine: "0", model_name: start.model, ...cacheConfig(context) },
    {
      number: pythonNumber,
      bound: pythonNumber,
      sum: "last",
      created: context.startedAt,
      le: "sorted",
    },
  );
  page.set("python_info", 1, "CPython,3,11,7,3.11.7");
  page.set("process_start_time_seconds", context.startedAt);
  page.set("process_max_fds", 1_048_576);
  page.set("process_open_fds", 64);
  page.set("vllm:engine_sleep_state", 1, "awake");
  page.set("vllm:cache_config_info", 1);
  return {
    apply: (update) => {
      if (start.role === "prefill") applyPrefill(page, update);
      else applyDecode(page, update, start);
      setGauges(page, start, update);
    },
    render: () => {
      const { cpuSeconds, residentBytes } = context.usage();
      page.add("process_cpu_seconds_total", Math.max(0, cpuSeconds - page.read("process_cpu_seconds_total")));
      page.set("process_resident_memory_bytes", residentBytes);
      page.set("process_virtual_memory_bytes", residentBytes * 4);
      return page.render();
    },
  };
}

function setGauges(page: Page, start: EngineStart, { gauges: now }: EngineUpdate): void {
  const waiting = now.waiting + now.waitingForKv;
  page.set("vllm:num_requests_running", now.running);
  page.set("vllm:num_requests_waiting", waiting);
  page.set("vllm:num_requests_waiting_by_reason", now.waiting, "capacity");
  page.set("vllm:num_requests_waiting_by_reason", now.waitingForKv, "deferred");
  page.set("vllm:kv_cache_usage_perc", Math.min(1, now.kvTokens / start.kvCapacityTokens));
}

function applyPrefill(page: Page, update: EngineUpdate): void {
  for (const [tokens, , finished] of update.passes) page.observe("vllm:iteration_tokens_total", tokens + finished);
  for (const leg of update.finished) {
    const computed = leg.inputTokens - leg.cachedTokens;
    page.add("vllm:prompt_tokens_total", leg.inputTokens);
    page.add("vllm:prompt_tokens_by_source_total", computed, "local_compute");
    page.add("vllm:prompt_tokens_by_source_total", leg.cachedTokens, "local_cache_hit");
    page.add("vllm:prompt_tokens_cached_total", leg.cachedTokens);
    page.add("vllm:prefix_cache_queries_total", leg.inputTokens);
    page.add("vllm:prefix_cache_hits_total", leg.cachedTokens);
    page.add("vllm:generation_tokens_total", 1);
    page.add("vllm:request_success_total", 1, "length");
    page.observe("vllm:time_to_first_token_seconds", leg.firstToken - leg.arrival);
    finishRequest(page, leg, { outputTokens: 1, maxTokens: 1, computed });
  }
}

function applyDecode(page: Page, update: EngineUpdate, start: EngineStart): void {
  for (const [steps, seconds, sequences, gaps] of update.steps) {
    page.observe("vllm:iteration_tokens_total", sequences, steps);
    page.observe("vllm:inter_token_latency_seconds", seconds, gaps);
    page.add("vllm:generation_tokens_total", steps * sequences);
  }
  for (const first of update.firstTokens) countRemotePrompt(page, first);
  for (const [bytes, seconds] of update.transfers) {
    page.observe("vllm:nixl_xfer_time_seconds", seconds);
    page.observe("vllm:nixl_post_time_seconds", POST_SECONDS);
    page.observe("vllm:nixl_bytes_transferred", bytes);
    page.observe("vllm:nixl_num_descriptors", Math.ceil(bytes / (BLOCK_TOKENS * start.kvBytesPerToken)) * DESCRIPTORS_PER_BLOCK);
  }
  page.add("vllm:nixl_num_failed_transfers_total", update.transferFailures);
  page.add("vllm:num_preemptions_total", update.preemptions);
  for (const leg of update.finished) {
    // The trace says how long the answer was, not why it ended: an end-of-sequence token is the usual reason.
    page.add("vllm:request_success_total", 1, "stop");
    // max_tokens of the request is not in the trace either; clients commonly send a round cap.
    finishRequest(page, leg, { outputTokens: leg.outputTokens, maxTokens: MAX_TOKENS, computed: 0 });
  }
}

const MAX_TOKENS = 2048;

function countRemotePrompt(page: Page, [ttft, inputTokens]: FirstTokenEvent): void {
  page.add("vllm:prompt_tokens_total", inputTokens);
  page.add("vllm:prompt_tokens_by_source_total", inputTokens, "external_kv_transfer");
  page.add("vllm:prompt_tokens_cached_total", inputTokens);
  page.add("vllm:prefix_cache_queries_total", inputTokens);
  page.add("vllm:external_prefix_cache_queries_total", inputTokens);
  page.add("vllm:external_prefix_cache_hits_total", inputTokens);
  page.observe("vllm:time_to_first_token_seconds", ttft);
}

interface Finish {
  readonly outputTokens: number;
  readonly maxTokens: number;
  readonly computed: number;
}

function finishRequest(page: Page, leg: Leg, { outputTokens, maxTokens, computed }: Finish): void {
  const decode = leg.end - leg.firstToken;
  page.observe("vllm:request_prompt_tokens", leg.inputTokens);
  page.observe("vllm:request_generation_tokens", outputTokens);
  page.observe("vllm:request_max_num_generation_tokens", outputTokens);
  page.observe("vllm:request_params_n", 1);
  page.observe("vllm:request_params_max_tokens", maxTokens);
  page.observe("vllm:request_time_per_output_token_seconds", outputTokens > 1 ? decode / (outputTokens - 1) : 0);
  page.observe("vllm:e2e_request_latency_seconds", leg.end - leg.arrival);
  page.observe("vllm:request_queue_time_seconds", leg.scheduled - leg.arrival);
  page.observe("vllm:request_inference_time_seconds", leg.end - leg.scheduled);
  page.observe("vllm:request_prefill_time_seconds", leg.firstToken - leg.scheduled);
  page.observe("vllm:request_decode_time_seconds", decode);
  page.observe("vllm:request_prefill_kv_computed_tokens", computed);
}

/** An info gauge without model_name whose labels are the cache configuration, every value a string. */
const cacheConfigFamily = (): Family =>
  families("engine", ...Object.keys(CACHE_CONFIG), "num_gpu_blocks", "kv_cache_size_tokens", "kv_cache_max_concurrency").gauge(
    "vllm:cache_config_info",
    "Information of the LLMEngine CacheConfig",
  );

function cacheConfig({ start }: PageContext): Labels {
  const blocks = Math.floor(start.kvCapacityTokens / BLOCK_TOKENS);
  return {
    ...CACHE_CONFIG,
    num_gpu_blocks: String(blocks),
    kv_cache_size_tokens: String(blocks * BLOCK_TOKENS),
    kv_cache_max_concurrency: (start.kvCapacityTokens / MAX_MODEL_TOKENS).toFixed(3),
  };
}

const MAX_MODEL_TOKENS = 40_960;
const CACHE_CONFIG: Labels = {
  block_size: String(BLOCK_TOKENS),
  cache_dtype: "auto",
  enable_prefix_caching: "True",
  gpu_memory_utilization: "0.92",
  is_attention_free: "False",
  kv_cache_dtype_skip_layers: "[]",
  kv_cache_memory_bytes: "None",
  kv_offloading_backend: "native",
  kv_offloading_size: "None",
  kv_sharing_fast_prefill: "False",
  mamba_block_size: "None",
  mamba_cache_dtype: "auto",
  mamba_cache_mode: "none",
  mamba_page_size_padded: "None",
  mamba_ssm_cache_dtype: "auto",
  num_cpu_blocks: "None",
  num_gpu_blocks_override: "None",
  prefix_cache_retention_interval: "0",
  prefix_caching_hash_algo: "sha256",
  prefix_match_unit: "None",
  replayssm_buffer_len: "16",
  skip_page_size_padded: "None",
  sliding_window: "None",
  use_kda_recoverssm: "False",
  use_replayssm: "False",
  user_specified_block_size: "False",
  user_specified_mamba_block_size: "False",
};
