import type { Dialect } from "./dialect.ts";

/**
 * TensorRT-LLM (trtllm-serve, 2026), page /prometheus/metrics; /metrics is JSON and is emptied by each read. Multi-process form: every gauge has
 * a `pid`, of which one speaks. Up to about 1.2 its names had no prefix. What it does not have: gaps between tokens (only each request's mean),
 * forward passes of decode, transfers of KV. Dynamo's TensorRT-LLM worker adds transfers, recorded on the sending side.
 * As for vLLM, prompts are counted on prefill only and generated tokens on decode only: the context server makes one token that is made again.
 */
const iteration = "set enable_iter_perf_stats: true in the engine's options";
const perBlock = [{ series: "trtllm_kv_cache_tokens_per_block" }] as const;

export const trtllm: Dialect = {
  engine: "trtllm",
  rankLabels: ["pid"],
  spellings: { prefix: "trtllm_", others: ["trtllm:", ""], old: "until about 1.2" },
  shows: "served",
  mend: "read /prometheus/metrics, with return_perf_metrics: true in the engine's options",
  counters: [
    { name: "promptTokens", roles: ["prefill", "aggregated"], from: [[{ series: "trtllm_prompt_tokens_total" }]] },
    { name: "cachedTokens", roles: ["prefill", "aggregated"], expected: [], from: [[{ series: "trtllm_prompt_cached_tokens_total" }]] },
    { name: "generatedTokens", roles: ["decode", "aggregated"], from: [[{ series: "trtllm_generation_tokens_total" }]] },
    { name: "requestsFinished", from: [[{ series: "trtllm_request_success_total" }]] },
    // One observation per iteration that prefills; of other roles these would be only some of the passes.
    { name: "steps", roles: ["prefill"], expected: [], from: [[{ series: "trtllm_prefill_batch_tokens_count" }]] },
    { name: "stepTokens", roles: ["prefill"], expected: [], from: [[{ series: "trtllm_prefill_batch_tokens_sum" }]] },
    { name: "kvTransfers", expected: [], from: [[{ series: "trtllm_kv_transfer_bytes_count" }]] },
    { name: "kvTransferBytes", expected: [], from: [[{ series: "trtllm_kv_transfer_bytes_sum" }]] },
    { name: "kvTransferSeconds", expected: [], from: [[{ series: "trtllm_kv_transfer_latency_seconds_sum" }]] },
  ],
  gauges: [
    { name: "running", mend: iteration, from: [[{ series: "trtllm_num_requests_running" }]] },
    { name: "waiting", mend: iteration, from: [[{ series: "trtllm_num_requests_waiting" }]] },
    { name: "kvUsage", mend: iteration, over: "mean", from: [[{ series: "trtllm_kv_cache_utilization" }]] },
    { name: "kvCapacityTokens", mend: iteration, times: perBlock, from: [[{ series: "trtllm_kv_cache_max_blocks" }]] },
    { name: "kvTokens", mend: iteration, times: perBlock, from: [[{ series: "trtllm_kv_cache_used_blocks" }]] },
    { name: "maxBatchedTokens", expected: [], from: [[{ series: "trtllm_max_num_tokens_runtime" }]] },
    { name: "maxNumSeqs", expected: [], from: [[{ series: "trtllm_max_batch_size_runtime" }]] },
  ],
  labelGauges: [],
  distributions: [
    { name: "ttft", from: [{ series: "trtllm_time_to_first_token_seconds" }] },
    // Once per request. On prefill the one token has no gap.
    { name: "tpot", roles: ["decode", "aggregated"], from: [{ series: "trtllm_time_per_output_token_seconds" }] },
    { name: "e2e", from: [{ series: "trtllm_e2e_request_latency_seconds" }] },
    // Its first bucket ends at 0.3 s: the mean is right, quantiles below that are not.
    { name: "queue", from: [{ series: "trtllm_request_queue_time_seconds" }] },
    { name: "prefill", roles: ["prefill", "aggregated"], expected: [], from: [{ series: "trtllm_request_prefill_time_seconds" }] },
    { name: "kvTransfer", expected: [], from: [{ series: "trtllm_kv_transfer_latency_seconds" }] },
  ],
};
