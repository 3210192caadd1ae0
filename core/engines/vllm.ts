import type { Dialect } from "./dialect.ts";

/**
 * vLLM V1 (August 2026, 0.25.x), with the names of earlier releases behind the new ones. `engine` is the data-parallel rank: summed.
 *
 * What happens once is counted once, so that sums over pools are true:
 * - promptTokens and cachedTokens are left out on decode, which counts the whole prompt a second time;
 * - itl, osl and generatedTokens are left out on prefill, which runs with max_tokens=1: its one token is thrown away and made again on decode.
 * On decode `queue` includes the wait for the KV pull (the request sits in WAITING_FOR_REMOTE_KVS before it is scheduled), and
 * request_prefill_time is a single decode step, hence no `prefill` there.
 */
const where = (label: string, ...values: string[]): { readonly [label: string]: readonly string[] } => ({ [label]: values });

export const vllm: Dialect = {
  engine: "vllm",
  rankLabels: [],
  counters: [
    { name: "promptTokens", roles: ["prefill", "aggregated"], from: [[{ series: "vllm:prompt_tokens_total" }]] },
    {
      name: "cachedTokens",
      roles: ["prefill", "aggregated"],
      from: [
        [{ series: "vllm:prompt_tokens_by_source_total", where: where("source", "local_cache_hit") }],
        [{ series: "vllm:prefix_cache_hits_total" }],
        [{ series: "vllm:gpu_prefix_cache_hits_total" }],
      ],
    },
    { name: "generatedTokens", roles: ["decode", "aggregated"], from: [[{ series: "vllm:generation_tokens_total" }]] },
    { name: "requestsFinished", from: [[{ series: "vllm:request_success_total" }]] },
    { name: "preemptions", from: [[{ series: "vllm:num_preemptions_total" }]] },
    { name: "kvTransfers", from: [[{ series: "vllm:nixl_bytes_transferred_count" }]] },
    { name: "kvTransferBytes", from: [[{ series: "vllm:nixl_bytes_transferred_sum" }]] },
    { name: "kvTransferSeconds", from: [[{ series: "vllm:nixl_xfer_time_seconds_sum" }]] },
    {
      name: "kvTransferFailures",
      from: [[{ series: "vllm:nixl_num_failed_transfers_total" }, { series: "vllm:nixl_num_failed_notifications_total" }]],
    },
    // A histogram in spite of its name: one observation per engine step.
    { name: "steps", from: [[{ series: "vllm:iteration_tokens_total_count" }]] },
    { name: "stepTokens", from: [[{ series: "vllm:iteration_tokens_total_sum" }]] },
  ],
  gauges: [
    { name: "running", from: [[{ series: "vllm:num_requests_running" }]] },
    { name: "waiting", from: [[{ series: "vllm:num_requests_waiting" }]] },
    { name: "waitingForKv", from: [[{ series: "vllm:num_requests_waiting_by_reason", where: where("reason", "deferred") }]] },
    // On prefill this includes blocks held for a remote pull after the request finished.
    { name: "kvUsage", over: "mean", from: [[{ series: "vllm:kv_cache_usage_perc" }], [{ series: "vllm:gpu_cache_usage_perc" }]] },
  ],
  labelGauges: [
    { name: "kvCapacityTokens", series: "vllm:cache_config_info", products: [["kv_cache_size_tokens"], ["num_gpu_blocks", "block_size"]] },
  ],
  distributions: [
    { name: "ttft", from: [{ series: "vllm:time_to_first_token_seconds" }] },
    {
      name: "itl",
      roles: ["decode", "aggregated"],
      from: [{ series: "vllm:inter_token_latency_seconds" }, { series: "vllm:time_per_output_token_seconds" }],
    },
    { name: "e2e", from: [{ series: "vllm:e2e_request_latency_seconds" }] },
    { name: "queue", from: [{ series: "vllm:request_queue_time_seconds" }] },
    { name: "prefill", roles: ["prefill", "aggregated"], from: [{ series: "vllm:request_prefill_time_seconds" }] },
    // One observation per transfer handle and worker rank, on the side that reads.
    { name: "kvTransfer", from: [{ series: "vllm:nixl_xfer_time_seconds" }] },
    { name: "isl", from: [{ series: "vllm:request_prompt_tokens" }] },
    { name: "osl", roles: ["decode", "aggregated"], from: [{ series: "vllm:request_generation_tokens" }] },
  ],
};
