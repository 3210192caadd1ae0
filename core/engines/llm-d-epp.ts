import type { Dialect, Term } from "./dialect.ts";

/**
 * llm-d's endpoint picker (August 2026): latencies as seen from the gateway, before the split into prefill and decode. The names of the Gateway
 * API inference extension stand behind its own; a page that repeats them for compatibility counts once. Every request model, fairness flow and
 * priority is a label set of its own: summed. Its averages over the pool (average_queue_size, average_kv_cache_utilization) are not read: they
 * repeat the engines' own figures, later.
 */
const old = (series: string): Term => ({ series, old: "a name of the Gateway API inference extension" });
const streaming = { streaming: { not: ["false"] } } as const;

export const llmDEpp: Dialect = {
  engine: "llm-d-epp",
  rankLabels: [],
  shows: "served",
  mend: "point the target at the endpoint picker's metrics port (9090) and let responses be parsed (streamed usage included)",
  counters: [
    {
      name: "promptTokens",
      from: [[{ series: "llm_d_epp_request_input_tokens_sum" }], [old("inference_objective_input_tokens_sum")]],
    },
    {
      name: "cachedTokens",
      expected: [],
      from: [[{ series: "llm_d_epp_request_cached_tokens_sum" }], [old("inference_objective_prompt_cached_tokens_sum")]],
    },
    {
      name: "generatedTokens",
      from: [[{ series: "llm_d_epp_request_output_tokens_sum" }], [old("inference_objective_output_tokens_sum")]],
    },
    {
      name: "requestsFinished",
      from: [[{ series: "llm_d_epp_request_duration_seconds_count" }], [old("inference_objective_request_duration_seconds_count")]],
    },
  ],
  gauges: [
    { name: "running", from: [[{ series: "llm_d_epp_request_running" }], [old("inference_objective_running_requests")]] },
    {
      name: "waiting",
      // Flow control is a feature gate.
      expected: [],
      from: [[{ series: "llm_d_epp_flow_control_queue_size" }], [old("inference_extension_flow_control_queue_size")]],
    },
  ],
  labelGauges: [],
  distributions: [
    {
      name: "ttft",
      // Of a request that is not streamed this is its whole duration.
      from: [{ series: "llm_d_epp_request_ttft_seconds", where: streaming }, old("inference_objective_request_ttft_seconds")],
    },
    { name: "itl", expected: [], from: [{ series: "llm_d_epp_request_streaming_itl_seconds" }] },
    {
      name: "tpot",
      expected: [],
      from: [{ series: "llm_d_epp_request_streaming_tpot_seconds" }, old("inference_objective_request_tpot_seconds")],
    },
    { name: "e2e", from: [{ series: "llm_d_epp_request_duration_seconds" }, old("inference_objective_request_duration_seconds")] },
    { name: "isl", from: [{ series: "llm_d_epp_request_input_tokens" }, old("inference_objective_input_tokens")] },
    { name: "osl", from: [{ series: "llm_d_epp_request_output_tokens" }, old("inference_objective_output_tokens")] },
  ],
};
