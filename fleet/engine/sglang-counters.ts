import type { PlantRole } from "../../sim/plant/plant.types.ts";
import { each, families, type Family } from "./family.ts";

/**
 * The counters of an SGLang page in PD mode (sgl-project/sglang main, 2026-08-22, --enable-metrics), with its
 * HELP text and bucket boundaries. Some exist on one side of the hand-off only.
 */
const scheduler = families("model_name", "engine_type", "tp_rank", "pp_rank", "moe_ep_rank");
const tokenizer = families("model_name", "engine_type");
const STREAMING = each("is_streaming", "true");

const only = (role: PlantRole, where: PlantRole, family: Family): readonly Family[] => (role === where ? [family] : []);

export const sglangCounters = (role: PlantRole): readonly Family[] => [
  scheduler.counter(
    "sglang:prefill_effective_tokens_total",
    "Effective prefill tokens with retracted-request re-counts excluded, updated on each log interval. mode: device_hit, host_hit, storage_hit, input. Windowed prefix cache hit rate = rate(sum of *_hit) / rate(sum of all modes); per-tier rate uses a single *_hit mode in the numerator.",
    each("mode", "input", "device_hit", "host_hit", "storage_hit"),
  ),
  tokenizer.counter("sglang:prompt_tokens_total", "Number of prefill tokens processed.", STREAMING),
  tokenizer.counter("sglang:generation_tokens_total", "Number of generation tokens processed.", STREAMING),
  tokenizer.counter(
    "sglang:cached_tokens_total",
    "Number of cached prompt tokens by source (device/host/storage).",
    each("cache_source", "device"),
  ),
  tokenizer.counter("sglang:num_requests_total", "Number of requests processed.", STREAMING),
  scheduler.counter(
    "sglang:realtime_tokens_total",
    "Total number of tokens processed (updated on each log interval). mode: prefill_compute, prefill_cache, decode.",
    role === "prefill" ? each("mode", "prefill_compute", "prefill_cache") : each("mode", "decode"),
  ),
  scheduler.counter(
    "sglang:cuda_graph_passes_total",
    "Total number of forward passes categorized by CUDA graph.",
    role === "prefill" ? each("mode", "prefill_none") : each("mode", "decode_cuda_graph"),
  ),
  scheduler.counter(
    "sglang:forward_execution_seconds_total",
    "Total time that GPU is busy executing model forward passes. Refer to ForwardMode for category labels.",
    role === "prefill" ? each("category", "extend") : each("category", "decode"),
  ),
  ...only(role, "decode", scheduler.counter("sglang:num_retracted_requests_total", "Total number of retracted requests.")),
  ...only(role, "decode", scheduler.counter("sglang:num_retracted_input_tokens_total", "Total number of retracted input tokens.")),
  ...only(role, "decode", scheduler.counter("sglang:num_retracted_output_tokens_total", "Total number of retracted output tokens.")),
  ...only(role, "prefill", scheduler.counter("sglang:num_bootstrap_failed_reqs_total", "The number of bootstrap failed requests.")),
  ...only(role, "prefill", scheduler.counter("sglang:num_transfer_failed_reqs_total", "The number of transfer failed requests.")),
];
