import type { Dialect, Term } from "./dialect.ts";

/**
 * vLLM V1 (August 2026, 0.25.x), with the names of earlier releases, V0 included, behind the new ones. `engine` is the data-parallel rank: summed.
 * Deliberately not read, of V0: averages over its own window (avg_*_throughput, gpu_prefix_cache_hit_rate) and times in milliseconds of the model.
 *
 * What happens once is counted once, so that sums over pools are true:
 * - promptTokens and cachedTokens are left out on decode, which counts the whole prompt a second time;
 * - itl, osl and generatedTokens are left out on prefill, which runs with max_tokens=1: its one token is thrown away and made again on decode.
 * On decode `queue` includes the wait for the KV pull (the request sits in WAITING_FOR_REMOTE_KVS before it is scheduled), and
 * request_prefill_time is a single decode step, hence no `prefill` there.
 */
const where = (label: string, ...values: string[]): { readonly [label: string]: readonly string[] } => ({ [label]: values });

const nixl = {
  expected: ["decode"],
  mend: "only NixlConnector (vLLM 0.11.1 and later) publishes transfers; with another connector let NIXL, LMCache or Mooncake publish theirs",
} as const;

const failures: readonly Term[] = [
  { series: "vllm:nixl_num_failed_transfers_total" },
  { series: "vllm:nixl_num_failed_notifications_total" },
];

export const vllm: Dialect = {
  engine: "vllm",
  rankLabels: [],
  // Ray replaces the colon and puts its own prefix before (its older exporter kept the colon).
  spellings: { prefix: "vllm:", others: ["ray_vllm_", "ray_vllm:", "vllm_"] },
  shows: "start",
  mend: "Fulcrum knows vLLM from 0.6 to 0.25; under the Rust front end fewer series are shown, use the Python one",
  counters: [
    { name: "promptTokens", roles: ["prefill", "aggregated"], from: [[{ series: "vllm:prompt_tokens_total" }]] },
    // What decode computes itself because much waits for prefill: the last token of each prompt otherwise.
    {
      name: "localPromptTokens",
      roles: ["decode"],
      expected: [],
      from: [[{ series: "vllm:prompt_tokens_by_source_total", where: where("source", "local_compute") }]],
    },
    {
      name: "cachedTokens",
      roles: ["prefill", "aggregated"],
      from: [
        // What a store or another instance had is not computed either. (A decode engine gets its whole prompt so; it does not count here.)
        [{ series: "vllm:prompt_tokens_by_source_total", where: where("source", "local_cache_hit", "external_kv_transfer") }],
        [{ series: "vllm:prefix_cache_hits_total", old: "by source since February 2026" }],
        [{ series: "vllm:gpu_prefix_cache_hits_total", old: "until 0.12" }],
      ],
    },
    { name: "generatedTokens", roles: ["decode", "aggregated"], from: [[{ series: "vllm:generation_tokens_total" }]] },
    { name: "requestsFinished", from: [[{ series: "vllm:request_success_total" }]] },
    { name: "preemptions", from: [[{ series: "vllm:num_preemptions_total" }]] },
    { name: "kvTransfers", ...nixl, from: [[{ series: "vllm:nixl_bytes_transferred_count" }]] },
    { name: "kvTransferBytes", ...nixl, from: [[{ series: "vllm:nixl_bytes_transferred_sum" }]] },
    { name: "kvTransferSeconds", ...nixl, from: [[{ series: "vllm:nixl_xfer_time_seconds_sum" }]] },
    {
      name: "kvTransferFailures",
      ...nixl,
      from: [
        // On prefill: leases that ran out before decode fetched the KV. 0 on decode.
        [...failures, { series: "vllm:nixl_num_kv_expired_reqs_total" }],
        failures.map((term) => ({ ...term, old: "without expired requests until January 2026" })),
      ],
    },
    // A histogram in spite of its name: one observation per engine step.
    { name: "steps", from: [[{ series: "vllm:iteration_tokens_total_count" }]] },
    { name: "stepTokens", from: [[{ series: "vllm:iteration_tokens_total_sum" }]] },
  ],
  gauges: [
    { name: "running", from: [[{ series: "vllm:num_requests_running" }]] },
    {
      name: "waiting",
      // V0 swapped out what it preempted; those wait as well.
      from: [[{ series: "vllm:num_requests_waiting" }, { series: "vllm:num_requests_swapped", optional: true, old: "V0" }]],
    },
    {
      name: "waitingForKv",
      expected: ["decode"],
      mend: "vLLM shows waiting requests by reason since April 2026",
      from: [[{ series: "vllm:num_requests_waiting_by_reason", where: where("reason", "deferred") }]],
    },
    // On prefill this includes blocks held for a remote pull after the request finished.
    {
      name: "kvUsage",
      over: "mean",
      from: [[{ series: "vllm:kv_cache_usage_perc" }], [{ series: "vllm:gpu_cache_usage_perc", old: "until 0.12" }]],
    },
  ],
  labelGauges: [
    {
      name: "kvCapacityTokens",
      from: [{ series: "vllm:cache_config_info" }],
      products: [["kv_cache_size_tokens"], ["num_gpu_blocks", "block_size"]],
    },
  ],
  distributions: [
    { name: "ttft", from: [{ series: "vllm:time_to_first_token_seconds" }] },
    {
      name: "itl",
      roles: ["decode", "aggregated"],
      from: [{ series: "vllm:inter_token_latency_seconds" }, { series: "vllm:time_per_output_token_seconds", old: "until 0.15" }],
    },
    { name: "e2e", from: [{ series: "vllm:e2e_request_latency_seconds" }] },
    {
      name: "queue",
      from: [{ series: "vllm:request_queue_time_seconds" }, { series: "vllm:time_in_queue_requests", old: "until 0.9" }],
    },
    { name: "prefill", roles: ["prefill", "aggregated"], from: [{ series: "vllm:request_prefill_time_seconds" }] },
    // One observation per transfer handle and worker rank, on the side that reads.
    { name: "kvTransfer", ...nixl, from: [{ series: "vllm:nixl_xfer_time_seconds" }] },
    { name: "isl", from: [{ series: "vllm:request_prompt_tokens" }] },
    { name: "osl", roles: ["decode", "aggregated"], from: [{ series: "vllm:request_generation_tokens" }] },
  ],
};
