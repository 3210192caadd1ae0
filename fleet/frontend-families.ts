import { families, type Family } from "./engine/family.ts";

/**
 * The families of a Dynamo frontend's page (ai-dynamo/dynamo main, 2026-08-21) in its order, with its HELP
 * text and default buckets: 0, then min·(max/min)^(i/(n−1)) at two significant digits.
 */
const INPUT_TOKENS = [0, 100, 210, 430, 870, 1800, 3600, 7400, 15000, 31000, 63000, 130000] as const;
const ITL_SECONDS = [0, 0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2] as const;
const OUTPUT_TOKENS = [0, 100, 210, 430, 880, 1800, 3700, 7600, 16000, 32000] as const;
const REQUEST_SECONDS = [0, 2, 4, 8, 16, 32, 64, 130, 260, 510] as const;
const TTFT_SECONDS = [0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480] as const;

const perModel = families("model");
const plain = families();

export const FRONTEND_FAMILIES: readonly Family[] = [
  perModel.gauge(
    "dynamo_frontend_active_requests",
    "Number of requests currently being handled by the frontend, from HTTP handler entry to response completion",
  ),
  perModel.histogram("dynamo_frontend_cached_tokens", "Number of cached tokens (prefix cache hits) per request", INPUT_TOKENS),
  plain.gauge("dynamo_frontend_disconnected_clients", "Number of disconnected clients"),
  perModel.gauge("dynamo_frontend_inflight_requests", "Number of inflight requests"),
  perModel.histogram("dynamo_frontend_input_sequence_tokens", "Input sequence length in tokens", INPUT_TOKENS),
  perModel.histogram("dynamo_frontend_inter_token_latency_seconds", "Inter-token latency in seconds", ITL_SECONDS),
  perModel.gauge("dynamo_frontend_model_context_length", "Maximum context length in tokens for a worker serving the model"),
  perModel.gauge("dynamo_frontend_model_kv_cache_block_size", "KV cache block size in tokens for a worker serving the model"),
  perModel.gauge("dynamo_frontend_model_max_num_batched_tokens", "Maximum number of batched tokens for a worker serving the model"),
  perModel.gauge("dynamo_frontend_model_max_num_seqs", "Maximum number of sequences for a worker serving the model"),
  perModel.gauge("dynamo_frontend_model_total_kv_blocks", "Total KV cache blocks available for a worker serving the model"),
  perModel.histogram("dynamo_frontend_output_sequence_tokens", "Output sequence length in tokens", OUTPUT_TOKENS),
  perModel.counter("dynamo_frontend_output_tokens_total", "Total number of output tokens generated (updates in real-time)"),
  perModel.gauge("dynamo_frontend_queued_requests", "Number of requests in HTTP processing queue"),
  perModel.histogram("dynamo_frontend_request_duration_seconds", "Duration of LLM requests", REQUEST_SECONDS),
  perModel.counter("dynamo_frontend_requests_started_total", "Total number of LLM requests accepted by the frontend handler", [
    { endpoint: "chat_completions", request_type: "stream" },
  ]),
  perModel.counter("dynamo_frontend_requests_total", "Total number of LLM requests processed", [
    { endpoint: "chat_completions", error_type: "", request_type: "stream", status: "success" },
    { endpoint: "chat_completions", error_type: "cancelled", request_type: "stream", status: "error" },
    { endpoint: "chat_completions", error_type: "overload", request_type: "stream", status: "error" },
  ]),
  plain.gauge("dynamo_frontend_stage_requests", "Number of requests currently in the given pipeline stage", [
    { phase: "", stage: "preprocess" },
    { phase: "prefill", stage: "route" },
    { phase: "prefill", stage: "dispatch" },
    { phase: "decode", stage: "route" },
    { phase: "decode", stage: "dispatch" },
  ]),
  perModel.histogram("dynamo_frontend_time_to_first_token_seconds", "Time to first token in seconds", TTFT_SECONDS),
];
