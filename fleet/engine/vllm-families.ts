import { each, families, type Family } from "./family.ts";

/**
 * The families of a vLLM V1 page with the NIXL connector (vllm-project/vllm main, 2026-08-17), in the page's
 * own order, with its HELP text and bucket boundaries. Token buckets are 1-2-5 up to a 40,960-token model.
 */
const XFER_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5] as const;
const POST_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5] as const;
const XFER_BYTES = [2048, 8192, 32768, 131072, 524288, 2097152, 8388608, 33554432, 134217728, 536870912, 2147483648, 8589934592] as const;
const DESCRIPTORS = [10, 20, 30, 50, 75, 100, 200, 400, 1000, 2000, 4000, 10000, 20000, 50000] as const;
const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000] as const;
const ITERATION_TOKENS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384] as const;
const PARAM_N = [1, 2, 5, 10, 20] as const;
const TTFT_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
] as const;
const ITL_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80] as const;
const REQUEST_SECONDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680] as const;

const python = families();
const engine = families("engine", "model_name");

/** prometheus_client's own collectors: garbage collector, interpreter, process. */
const PROCESS: readonly Family[] = [
  python.counter("python_gc_objects_collected_total", "Objects collected during gc", each("generation", "0", "1", "2")),
  python.counter("python_gc_objects_uncollectable_total", "Uncollectable objects found during GC", each("generation", "0", "1", "2")),
  python.counter("python_gc_collections_total", "Number of times this generation was collected", each("generation", "0", "1", "2")),
  python.gauge("python_info", "Python platform information", [
    { implementation: "CPython", major: "3", minor: "11", patchlevel: "7", version: "3.11.7" },
  ]),
  python.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
  python.gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
  python.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
  python.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
  python.gauge("process_open_fds", "Number of open file descriptors."),
  python.gauge("process_max_fds", "Maximum number of open file descriptors."),
];

const ENGINE: readonly Family[] = [
  engine.histogram("vllm:nixl_xfer_time_seconds", "Histogram of transfer duration for NIXL KV Cache transfers.", XFER_SECONDS),
  engine.histogram("vllm:nixl_post_time_seconds", "Histogram of transfer post time for NIXL KV Cache transfers.", POST_SECONDS),
  engine.histogram("vllm:nixl_bytes_transferred", "Histogram of bytes transferred per NIXL KV Cache transfers.", XFER_BYTES),
  engine.histogram("vllm:nixl_num_descriptors", "Histogram of number of descriptors per NIXL  KV Cache transfers.", DESCRIPTORS),
  engine.counter("vllm:nixl_num_failed_transfers_total", "Number of failed NIXL KV Cache transfers."),
  engine.counter("vllm:nixl_num_failed_notifications_total", "Number of failed NIXL KV Cache notifications."),
  engine.counter(
    "vllm:nixl_num_kv_expired_reqs_total",
    "Number of requests that had their KV expire. NOTE: This metric is tracked on the P instance.",
  ),
  engine.gauge("vllm:num_requests_running", "Number of requests in model execution batches."),
  engine.gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed."),
  engine.gauge(
    "vllm:num_requests_waiting_by_reason",
    "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; 'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). Sum of all reasons equals vllm:num_requests_waiting.",
    each("reason", "capacity", "deferred"),
  ),
  engine.gauge(
    "vllm:engine_sleep_state",
    "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.",
    each("sleep_state", "awake", "weights_offloaded", "discard_all"),
  ),
  engine.gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage."),
  engine.counter("vllm:prefix_cache_queries_total", "Prefix cache queries, in terms of number of queried tokens."),
  engine.counter("vllm:prefix_cache_hits_total", "Prefix cache hits, in terms of number of cached tokens."),
  engine.counter(
    "vllm:external_prefix_cache_queries_total",
    "External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of queried tokens.",
  ),
  engine.counter(
    "vllm:external_prefix_cache_hits_total",
    "External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached tokens.",
  ),
  engine.counter("vllm:mm_cache_queries_total", "Multi-modal cache queries, in terms of number of queried items."),
  engine.counter("vllm:mm_cache_hits_total", "Multi-modal cache hits, in terms of number of cached items."),
  engine.counter("vllm:num_preemptions_total", "Cumulative number of preemption from the engine."),
  engine.counter("vllm:prompt_tokens_total", "Number of prefill tokens processed."),
  engine.counter(
    "vllm:prompt_tokens_by_source_total",
    "Number of prompt tokens by source.",
    each("source", "local_compute", "local_cache_hit", "external_kv_transfer"),
  ),
  engine.counter("vllm:prompt_tokens_cached_total", "Number of cached prompt tokens (local + external)."),
  engine.counter("vllm:generation_tokens_total", "Number of generation tokens processed."),
  engine.counter(
    "vllm:request_success_total",
    "Count of successfully processed requests.",
    each("finished_reason", "stop", "length", "abort", "error", "repetition"),
  ),
  engine.histogram("vllm:request_prompt_tokens", "Number of prefill tokens processed.", TOKENS),
  engine.histogram("vllm:request_generation_tokens", "Number of generation tokens processed.", TOKENS),
  engine.histogram("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", ITERATION_TOKENS),
  engine.histogram("vllm:request_max_num_generation_tokens", "Histogram of maximum number of requested generation tokens.", TOKENS),
  engine.histogram("vllm:request_params_n", "Histogram of the n request parameter.", PARAM_N),
  engine.histogram("vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.", TOKENS),
  engine.histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", TTFT_SECONDS),
  engine.histogram("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", ITL_SECONDS),
  engine.histogram("vllm:request_time_per_output_token_seconds", "Histogram of time_per_output_token_seconds per request.", ITL_SECONDS),
  engine.histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", REQUEST_SECONDS),
  engine.histogram("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", REQUEST_SECONDS),
  engine.histogram("vllm:request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.", REQUEST_SECONDS),
  engine.histogram("vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", REQUEST_SECONDS),
  engine.histogram("vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", REQUEST_SECONDS),
  engine.histogram(
    "vllm:request_prefill_kv_computed_tokens",
    "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
    TOKENS,
  ),
];

export const VLLM_FAMILIES: readonly Family[] = [...PROCESS, ...ENGINE];
