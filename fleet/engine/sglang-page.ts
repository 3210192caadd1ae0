import type { EnginePage, PageContext } from "./engine-page.ts";
import type { EngineUpdate, Leg } from "./messages.ts";
import { pythonNumber } from "./number-text.ts";
import { Page } from "./page.ts";
import { sglangCounters } from "./sglang-counters.ts";
import { sglangGauges } from "./sglang-gauges.ts";
import { sglangHistograms } from "./sglang-histograms.ts";
import { setSglangConstants, setSglangGauges } from "./sglang-state.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** A prefill engine adds one near-zero gap per request: its single token, streamed and finished. */
const PREFILL_GAP_SECONDS = 0.00006;
/** Handshake and preparation are constants of the sample pages; the plant does not model them. */
const DECODE_PREPARE_SECONDS = 0.0004;
const FAKE_OUTPUT_SECONDS = 0.0007;

/**
 * SGLang's page in PD mode. Its habits that matter: a prefill engine shows no TTFT, its e2e includes the
 * sending of the KV and it records the transfers; a decode engine got the request at the same time as
 * prefill, so its TTFT is the user's. Token counters move when a request ends; `realtime_tokens_total` is live.
 */
export function sglangPage(context: PageContext): EnginePage {
  const { start } = context;
  const role = start.role;
  // Multiprocess mode writes one file per metric type and process; the pages list them in these orders.
  const families =
    role === "prefill"
      ? [...sglangGauges(), ...sglangCounters(role), ...sglangHistograms(role)]
      : [...sglangHistograms(role), ...sglangCounters(role), ...sglangGauges()];
  const labels = {
    model_name: start.model,
    engine_type: role,
    tp_rank: "0",
    pp_rank: "0",
    moe_ep_rank: "0",
    pid: String(context.pid),
  };
  const page = new Page(families, labels, { number: pythonNumber, bound: pythonNumber, sum: "first", created: undefined, le: "sorted" });
  setSglangConstants(page, start);
  return {
    apply: (update) => {
      if (role === "prefill") applyPrefill(page, update);
      else applyDecode(page, update);
      setSglangGauges(page, start, update);
    },
    render: () => page.render(),
  };
}

function applyPrefill(page: Page, update: EngineUpdate): void {
  for (const [tokens, seconds] of update.passes) {
    page.add("sglang:forward_execution_seconds_total", seconds, "extend");
    page.add("sglang:cuda_graph_passes_total", 1, "prefill_none");
    page.add("sglang:realtime_tokens_total", tokens, "prefill_compute");
    page.add("sglang:prefill_effective_tokens_total", tokens, "input");
  }
  for (const [bytes, seconds] of update.transfers) {
    page.observe("sglang:kv_transfer_latency_ms", seconds * 1000);
    page.observe("sglang:kv_transfer_total_mb", bytes / MIB);
    if (seconds > 0) page.observe("sglang:kv_transfer_speed_gb_s", bytes / GIB / seconds);
  }
  page.add("sglang:num_transfer_failed_reqs_total", update.transferFailures);
  for (const leg of update.finished) finishPrefill(page, leg);
}

function finishPrefill(page: Page, leg: Leg): void {
  finishRequest(page, leg, 1);
  page.add("sglang:realtime_tokens_total", leg.cachedTokens, "prefill_cache");
  page.add("sglang:prefill_effective_tokens_total", leg.cachedTokens, "device_hit");
  page.observe("sglang:queue_time_seconds", leg.scheduled - leg.arrival);
  page.observe("sglang:inter_token_latency_seconds", PREFILL_GAP_SECONDS);
  const stage = (name: string, seconds: number): void => page.observe("sglang:per_stage_req_latency_seconds", seconds, 1, name);
  stage("prefill_bootstrap", 0);
  stage("prefill_forward", leg.firstToken - leg.scheduled);
  stage("prefill_transfer_kv_cache", leg.transferEnd - leg.firstToken);
}

function applyDecode(page: Page, update: EngineUpdate): void {
  for (const [steps, seconds, sequences, gaps] of update.steps) {
    page.add("sglang:forward_execution_seconds_total", steps * seconds, "decode");
    page.add("sglang:cuda_graph_passes_total", steps, "decode_cuda_graph");
    page.add("sglang:realtime_tokens_total", steps * sequences, "decode");
    page.observe("sglang:inter_token_latency_seconds", seconds, gaps);
  }
  for (const [ttft] of update.firstTokens) page.observe("sglang:time_to_first_token_seconds", ttft, 1, "true");
  page.add("sglang:num_retracted_requests_total", update.preemptions);
  for (const leg of update.finished) finishDecode(page, leg);
}

function finishDecode(page: Page, leg: Leg): void {
  finishRequest(page, leg, leg.outputTokens);
  const waited = leg.scheduled - leg.transferEnd;
  // The KV wait is not part of queue_time: it stands in the stage decode_transferred.
  page.observe("sglang:queue_time_seconds", waited);
  const stage = (name: string, seconds: number): void => page.observe("sglang:per_stage_req_latency_seconds", seconds, 1, name);
  stage("decode_prepare", DECODE_PREPARE_SECONDS);
  stage("decode_bootstrap", 0);
  stage("decode_transferred", leg.transferEnd - leg.arrival);
  stage("decode_waiting", waited);
  stage("fake_output", FAKE_OUTPUT_SECONDS);
}

function finishRequest(page: Page, leg: Leg, outputTokens: number): void {
  page.add("sglang:prompt_tokens_total", leg.inputTokens, "true");
  page.add("sglang:generation_tokens_total", outputTokens, "true");
  page.add("sglang:cached_tokens_total", leg.cachedTokens, "device");
  page.add("sglang:num_requests_total", 1, "true");
  page.observe("sglang:e2e_request_latency_seconds", leg.end - leg.arrival, 1, "true");
  page.observe("sglang:prompt_tokens_histogram", leg.inputTokens);
  page.observe("sglang:uncached_prompt_tokens_histogram", leg.inputTokens - leg.cachedTokens);
  page.observe("sglang:generation_tokens_histogram", outputTokens);
}
