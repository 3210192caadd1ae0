import type { Dialect } from "./dialect.ts";

/**
 * Dynamo's frontend (August 2026): the user's own TTFT and ITL, seen before the split into prefill and decode. Its ITL is the gap between chunks
 * divided by their tokens and reaches the histogram every 64 tokens or at the end of a request, so it comes in bursts. The engines behind it
 * count tokens too: a frontend is a pool of its own and is not added to them.
 */
export const dynamoFrontend: Dialect = {
  engine: "dynamo-frontend",
  rankLabels: [],
  shows: "served",
  mend: "point the target at the frontend's HTTP port; a prefix set by DYN_METRICS_PREFIX is not understood",
  counters: [
    { name: "promptTokens", from: [[{ series: "dynamo_frontend_input_sequence_tokens_sum" }]] },
    { name: "cachedTokens", expected: [], from: [[{ series: "dynamo_frontend_cached_tokens_sum" }]] },
    {
      name: "generatedTokens",
      from: [
        [{ series: "dynamo_frontend_output_tokens_total" }],
        [{ series: "dynamo_frontend_output_sequence_tokens_sum", old: "of ended requests only, before tokens were counted live" }],
      ],
    },
    {
      name: "requestsFinished",
      from: [
        [{ series: "dynamo_frontend_requests_total", where: { status: ["success"] } }],
        [{ series: "dynamo_frontend_request_success_count", old: "until 2025" }],
      ],
    },
  ],
  gauges: [
    {
      name: "running",
      from: [[{ series: "dynamo_frontend_active_requests" }], [{ series: "dynamo_frontend_inflight_requests", old: "deprecated" }]],
    },
    {
      name: "waiting",
      // Without a KV router there is no queue to show.
      expected: [],
      from: [[{ series: "dynamo_frontend_router_queue_pending_requests" }], [{ series: "dynamo_frontend_queued_requests" }]],
    },
    { name: "maxBatchedTokens", expected: [], from: [[{ series: "dynamo_frontend_model_max_num_batched_tokens" }]] },
    { name: "maxNumSeqs", expected: [], from: [[{ series: "dynamo_frontend_model_max_num_seqs" }]] },
  ],
  labelGauges: [],
  distributions: [
    { name: "ttft", from: [{ series: "dynamo_frontend_time_to_first_token_seconds" }] },
    { name: "itl", from: [{ series: "dynamo_frontend_inter_token_latency_seconds" }] },
    { name: "e2e", from: [{ series: "dynamo_frontend_request_duration_seconds" }] },
    { name: "isl", from: [{ series: "dynamo_frontend_input_sequence_tokens" }] },
    { name: "osl", from: [{ series: "dynamo_frontend_output_sequence_tokens" }] },
  ],
};
