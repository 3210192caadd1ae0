import type { Dialect } from "./dialect.ts";

/** Dynamo's router (August 2026), for fleets whose pools have a router each: the frontend's figures as seen from one pool's door. */
export const dynamoRouter: Dialect = {
  engine: "dynamo-router",
  rankLabels: [],
  shows: "served",
  mend: "point the target at the router's system port (DYN_SYSTEM_PORT)",
  counters: [
    { name: "promptTokens", from: [[{ series: "dynamo_component_router_input_sequence_tokens_sum" }]] },
    { name: "generatedTokens", from: [[{ series: "dynamo_component_router_output_sequence_tokens_sum" }]] },
    { name: "requestsFinished", from: [[{ series: "dynamo_component_router_requests_total" }]] },
  ],
  gauges: [{ name: "waiting", expected: [], from: [[{ series: "dynamo_frontend_router_queue_pending_requests" }]] }],
  labelGauges: [],
  distributions: [
    { name: "ttft", from: [{ series: "dynamo_component_router_time_to_first_token_seconds" }] },
    // "Average inter-token latency observed at the router": one sample per request.
    { name: "tpot", from: [{ series: "dynamo_component_router_inter_token_latency_seconds" }] },
    { name: "isl", from: [{ series: "dynamo_component_router_input_sequence_tokens" }] },
    { name: "osl", from: [{ series: "dynamo_component_router_output_sequence_tokens" }] },
  ],
};
