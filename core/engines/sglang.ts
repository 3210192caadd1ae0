import type { Dialect, Term } from "./dialect.ts";

/**
 * SGLang (August 2026, 0.5.20), with older names behind the new ones.
 *
 * Scheduler series repeat per tensor-parallel rank under --enable-metrics-for-all-schedulers, so the lowest rank speaks; data-parallel ranks are
 * summed. Under priority scheduling priority="" is the total. Both sides count the request and its prompt: as for vLLM, prompt and cached tokens
 * are taken on prefill only, generated tokens on decode only. The prefill side adds one sample of about 0 s per request to the inter-token
 * histogram and none to TTFT: both are left out there (by role, and by engine_type in case the configured role is wrong).
 */
const notPrefill = { engine_type: { not: ["prefill"] } } as const;

/** Requests queued for compute or for room; on decode also those whose KV is under way. */
const waiting: readonly Term[] = [
  { series: "sglang:num_queue_reqs" },
  // One of these two, by release (renamed in 2026-05).
  { series: "sglang:num_prefill_bootstrap_queue_reqs" },
  { series: "sglang:num_prefill_prealloc_queue_reqs" },
  { series: "sglang:num_decode_prealloc_queue_reqs" },
  { series: "sglang:num_decode_transfer_queue_reqs" },
];

export const sglang: Dialect = {
  engine: "sglang",
  rankLabels: ["pp_rank", "tp_rank", "moe_ep_rank", "pid"],
  everywhere: { priority: [""] },
  counters: [
    { name: "promptTokens", roles: ["prefill", "aggregated"], from: [[{ series: "sglang:prompt_tokens_total" }]] },
    {
      name: "cachedTokens",
      roles: ["prefill", "aggregated"],
      // cache_source="total" repeats the sum of the others.
      from: [[{ series: "sglang:cached_tokens_total", where: { cache_source: { not: ["total"] } } }]],
    },
    { name: "generatedTokens", roles: ["decode", "aggregated"], from: [[{ series: "sglang:generation_tokens_total" }]] },
    { name: "requestsFinished", from: [[{ series: "sglang:num_requests_total" }]] },
    { name: "preemptions", from: [[{ series: "sglang:num_retracted_requests_total" }]] },
    { name: "kvTransfers", from: [[{ series: "sglang:kv_transfer_total_mb_count" }]] },
    // "mb" is MiB: the code divides by 2^20.
    { name: "kvTransferBytes", from: [[{ series: "sglang:kv_transfer_total_mb_sum", unit: "MiB" }]] },
    { name: "kvTransferSeconds", from: [[{ series: "sglang:kv_transfer_latency_ms_sum", unit: "ms" }]] },
    {
      name: "kvTransferFailures",
      from: [[{ series: "sglang:num_transfer_failed_reqs_total" }, { series: "sglang:num_bootstrap_failed_reqs_total" }]],
    },
    { name: "steps", from: [[{ series: "sglang:cuda_graph_passes_total" }]] },
    { name: "stepTokens", from: [[{ series: "sglang:realtime_tokens_total", where: { mode: ["prefill_compute", "decode"] } }]] },
    { name: "prefillBusySeconds", from: [[{ series: "sglang:forward_execution_seconds_total", where: { category: ["extend"] } }]] },
    { name: "decodeBusySeconds", from: [[{ series: "sglang:forward_execution_seconds_total", where: { category: ["decode"] } }]] },
  ],
  gauges: [
    { name: "running", from: [[{ series: "sglang:num_running_reqs" }]] },
    // num_prefill_inflight_queue_reqs is left out: their prefill is done, only the sending is not.
    { name: "waiting", from: [waiting] },
    { name: "waitingForKv", roles: ["decode"], from: [[{ series: "sglang:num_decode_transfer_queue_reqs" }]] },
    { name: "kvUsage", over: "mean", from: [[{ series: "sglang:token_usage" }]] },
    { name: "kvCapacityTokens", from: [[{ series: "sglang:max_total_num_tokens" }]] },
    { name: "kvTokens", from: [[{ series: "sglang:num_used_tokens" }], [{ series: "sglang:kv_used_tokens" }]] },
  ],
  labelGauges: [],
  distributions: [
    { name: "ttft", roles: ["decode", "aggregated"], from: [{ series: "sglang:time_to_first_token_seconds", where: notPrefill }] },
    {
      name: "itl",
      roles: ["decode", "aggregated"],
      from: [
        { series: "sglang:inter_token_latency_seconds", where: notPrefill },
        { series: "sglang:time_per_output_token_seconds", where: notPrefill },
      ],
    },
    { name: "e2e", from: [{ series: "sglang:e2e_request_latency_seconds" }] },
    { name: "queue", from: [{ series: "sglang:queue_time_seconds" }] },
    {
      name: "prefill",
      roles: ["prefill", "aggregated"],
      // A chunked prompt adds one sample per chunk: the sum is exact, the count is passes rather than requests.
      from: [{ series: "sglang:per_stage_req_latency_seconds", where: { stage: ["prefill_forward", "chunked_prefill"] } }],
    },
    { name: "kvTransfer", from: [{ series: "sglang:kv_transfer_latency_ms", unit: "ms" }] },
    { name: "isl", from: [{ series: "sglang:prompt_tokens_histogram" }] },
    { name: "osl", roles: ["decode", "aggregated"], from: [{ series: "sglang:generation_tokens_histogram" }] },
  ],
};
