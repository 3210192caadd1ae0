import type { Dialect, Term, Where } from "./dialect.ts";

/**
 * SGLang (August 2026, 0.5.20), with older names behind the new ones.
 *
 * Scheduler series repeat per tensor-parallel rank under --enable-metrics-for-all-schedulers, so the lowest rank speaks; data-parallel ranks are
 * summed. Under priority scheduling priority="" is the total. Both sides count the request and its prompt: as for vLLM, prompt and cached tokens
 * are taken on prefill only, generated tokens on decode only. The prefill side adds one sample of about 0 s per request to the inter-token
 * histogram and none to TTFT: both are left out there (by role, and by engine_type in case the configured role is wrong).
 */
const notPrefill = { engine_type: { not: ["prefill"] } } as const;

const queued: Term = { series: "sglang:num_queue_reqs" };
/** Of an engine that works alone, whatever role its pool was given. */
const alone: Where = { engine_type: ["unified", ""] };

/** Told only by a part of the fleet, and what makes it tell. */
const kvSent = {
  expected: ["prefill"],
  mend: "SGLang publishes transfers as histograms since February 2026; before, only the last one",
} as const;
const forward: Where = { stage: ["prefill_forward", "chunked_prefill"] };
const notExpected = { expected: [] } as const;

export const sglang: Dialect = {
  engine: "sglang",
  rankLabels: ["pp_rank", "tp_rank", "moe_ep_rank", "pid"],
  everywhere: { priority: [""] },
  // Ray's spelling, and that of /v1/loads?format=prometheus.
  spellings: { prefix: "sglang:", others: ["ray_sglang_", "sglang_"] },
  shows: "served",
  mend: "start SGLang with --enable-metrics; Fulcrum knows SGLang from 0.4.4 to 0.5.20",
  counters: [
    { name: "promptTokens", roles: ["prefill", "aggregated"], from: [[{ series: "sglang:prompt_tokens_total" }]] },
    {
      name: "cachedTokens",
      roles: ["prefill", "aggregated"],
      // Created by the first hit.
      ...notExpected,
      // cache_source="total" repeats the sum of the others.
      from: [[{ series: "sglang:cached_tokens_total", where: { cache_source: { not: ["total"] } } }]],
    },
    { name: "generatedTokens", roles: ["decode", "aggregated"], from: [[{ series: "sglang:generation_tokens_total" }]] },
    { name: "requestsFinished", from: [[{ series: "sglang:num_requests_total" }]] },
    { name: "preemptions", ...notExpected, from: [[{ series: "sglang:num_retracted_requests_total" }]] },
    { name: "kvTransfers", ...kvSent, from: [[{ series: "sglang:kv_transfer_total_mb_count" }]] },
    // "mb" is MiB: the code divides by 2^20.
    { name: "kvTransferBytes", ...kvSent, from: [[{ series: "sglang:kv_transfer_total_mb_sum", unit: "MiB" }]] },
    { name: "kvTransferSeconds", ...kvSent, from: [[{ series: "sglang:kv_transfer_latency_ms_sum", unit: "ms" }]] },
    {
      name: "kvTransferFailures",
      ...notExpected,
      from: [
        [
          { series: "sglang:num_transfer_failed_reqs_total", optional: true },
          { series: "sglang:num_bootstrap_failed_reqs_total", optional: true },
        ],
      ],
    },
    { name: "steps", ...notExpected, from: [[{ series: "sglang:cuda_graph_passes_total" }]] },
    {
      name: "stepTokens",
      ...notExpected,
      from: [[{ series: "sglang:realtime_tokens_total", where: { mode: ["prefill_compute", "decode"] } }]],
    },
    {
      name: "prefillBusySeconds",
      ...notExpected,
      from: [[{ series: "sglang:forward_execution_seconds_total", where: { category: ["extend"] } }]],
    },
    {
      name: "decodeBusySeconds",
      ...notExpected,
      from: [[{ series: "sglang:forward_execution_seconds_total", where: { category: ["decode"] } }]],
    },
  ],
  gauges: [
    { name: "running", from: [[{ series: "sglang:num_running_reqs" }]] },
    {
      name: "waiting",
      roles: ["prefill"],
      // num_prefill_inflight_queue_reqs is left out: their prefill is done, only the sending is not.
      from: [
        [queued, { series: "sglang:num_prefill_bootstrap_queue_reqs" }],
        [queued, { series: "sglang:num_prefill_prealloc_queue_reqs", old: "until May 2026" }],
        [{ ...queued, where: alone }],
      ],
    },
    {
      name: "waiting",
      roles: ["decode"],
      // Queued for room or for compute, and those whose KV is under way.
      from: [
        [queued, { series: "sglang:num_decode_prealloc_queue_reqs" }, { series: "sglang:num_decode_transfer_queue_reqs" }],
        [{ ...queued, where: alone }],
      ],
    },
    { name: "waiting", roles: ["aggregated", "frontend"], from: [[queued]] },
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
        { series: "sglang:time_per_output_token_seconds", where: notPrefill, old: "until March 2025" },
      ],
    },
    { name: "e2e", from: [{ series: "sglang:e2e_request_latency_seconds" }] },
    { name: "queue", mend: "SGLang publishes queue times since October 2025", from: [{ series: "sglang:queue_time_seconds" }] },
    {
      name: "prefill",
      roles: ["prefill", "aggregated"],
      // A chunked prompt adds one sample per chunk: the sum is exact, the count is passes rather than requests.
      ...notExpected,
      from: [
        { series: "sglang:per_stage_req_latency_seconds", where: forward },
        { series: "sglang:request_latency_seconds", where: forward, old: "until October 2025" },
      ],
    },
    { name: "kvTransfer", ...kvSent, from: [{ series: "sglang:kv_transfer_latency_ms", unit: "ms" }] },
    { name: "isl", ...notExpected, from: [{ series: "sglang:prompt_tokens_histogram" }] },
    { name: "osl", roles: ["decode", "aggregated"], ...notExpected, from: [{ series: "sglang:generation_tokens_histogram" }] },
  ],
};
