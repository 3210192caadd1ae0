import type { PlantRole } from "../../sim/plant/plant.types.ts";
import { each, families, type Family } from "./family.ts";

/**
 * The histograms of an SGLang page in PD mode (sgl-project/sglang main, 2026-08-22, --enable-metrics), with its
 * HELP text and bucket boundaries. Some exist on one side of the hand-off only.
 */
/** 0.001 × 1.62^i, as the engine computes them. */
const STAGE_SECONDS = [
  0.001, 0.0016200000000000001, 0.0026244000000000007, 0.004251528, 0.006887475360000002, 0.011157710083200004, 0.018075490334784006,
  0.029282294342350097, 0.047437316834607154, 0.07684845327206359, 0.12449449430074302, 0.20168108076720373, 0.3267233508428701,
  0.5292918283654495, 0.8574527619520282, 1.389073474362286, 2.2502990284669036, 3.6454844261163837, 5.905684770308542, 9.567209327899839,
  15.49887911119774, 25.10818416014034, 40.67525833942735, 65.89391850987231, 106.74814798599316, 172.93199973730896, 280.1498395744405,
  453.84274011059364, 735.2252389791618, 1191.064887146242,
] as const;
const QUEUE_SECONDS = [
  0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300, 400, 500, 600, 700, 800,
  900, 1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000,
] as const;
const TTFT_SECONDS = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400] as const;
const TRANSFER_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000] as const;
const TRANSFER_MIB = [1, 5, 10, 50, 100, 500, 1000, 5000, 10000] as const;
const TRANSFER_GIB_S = [0.1, 0.5, 1, 5, 10, 25, 50, 100, 200, 400] as const;
const ITL_SECONDS = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8,
] as const;
const E2E_SECONDS = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 600, 1200, 1800, 2400] as const;
const TOKENS = [
  100, 300, 500, 700, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 12500, 15000, 17500, 20000, 22500, 25000, 27500,
  30000, 35000, 40000, 60000, 80000, 100000, 200000, 300000, 400000, 600000, 800000, 1000000, 1100000,
] as const;
const scheduler = families("model_name", "engine_type", "tp_rank", "pp_rank", "moe_ep_rank");
const tokenizer = families("model_name", "engine_type");
const STREAMING = each("is_streaming", "true");

const only = (role: PlantRole, where: PlantRole, family: Family): readonly Family[] => (role === where ? [family] : []);

export const sglangHistograms = (role: PlantRole): readonly Family[] => [
  scheduler.histogram(
    "sglang:per_stage_req_latency_seconds",
    "The latency of each stage of requests.",
    STAGE_SECONDS,
    role === "prefill"
      ? each("stage", "prefill_bootstrap", "prefill_forward", "prefill_transfer_kv_cache", "chunked_prefill")
      : each("stage", "decode_prepare", "decode_bootstrap", "decode_transferred", "decode_waiting", "fake_output"),
  ),
  scheduler.histogram("sglang:queue_time_seconds", "Histogram of queueing time in seconds.", QUEUE_SECONDS),
  ...only(
    role,
    "decode",
    tokenizer.histogram("sglang:time_to_first_token_seconds", "Histogram of time to first token in seconds.", TTFT_SECONDS, STREAMING),
  ),
  ...only(
    role,
    "prefill",
    scheduler.histogram("sglang:kv_transfer_latency_ms", "Histogram of KV cache transfer latency in ms.", TRANSFER_MS),
  ),
  ...only(role, "prefill", scheduler.histogram("sglang:kv_transfer_total_mb", "Histogram of KV cache transfer size in MB.", TRANSFER_MIB)),
  ...only(
    role,
    "prefill",
    scheduler.histogram("sglang:kv_transfer_speed_gb_s", "Histogram of KV cache transfer speed in GB/s.", TRANSFER_GIB_S),
  ),
  tokenizer.histogram("sglang:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", ITL_SECONDS),
  tokenizer.histogram("sglang:e2e_request_latency_seconds", "Histogram of End-to-end request latency in seconds", E2E_SECONDS, STREAMING),
  tokenizer.histogram("sglang:prompt_tokens_histogram", "Histogram of prompt token length.", TOKENS),
  tokenizer.histogram("sglang:uncached_prompt_tokens_histogram", "Histogram of uncached (compute) prompt token length.", TOKENS),
  tokenizer.histogram("sglang:generation_tokens_histogram", "Histogram of generation token length.", TOKENS),
];
