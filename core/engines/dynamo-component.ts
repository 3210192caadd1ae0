import type { Dialect, Tables } from "./dialect.ts";

/**
 * Dynamo's worker (its system port): what the runtime around the engine counts. The same port repeats the engine's own series, so these rows are
 * added to the engines' tables, and stand alone for a backend that has none. Deliberately not read: inflight_requests (running and waiting in
 * one number).
 */
export const dynamoWorker: Tables = {
  counters: [{ name: "requestsFinished", from: [[{ series: "dynamo_component_requests_total" }]] }],
  gauges: [
    {
      name: "kvUsage",
      over: "mean",
      // A share from 0 to 1 in spite of its name.
      from: [
        [{ series: "dynamo_component_gpu_cache_usage_percent" }],
        [{ series: "dynamo_component_kvstats_gpu_cache_usage_percent", old: "named so by earlier releases" }],
      ],
    },
  ],
  labelGauges: [],
  // On prefill this includes sending the KV.
  distributions: [{ name: "e2e", from: [{ series: "dynamo_component_request_duration_seconds" }] }],
};

export const dynamoComponent: Dialect = {
  engine: "dynamo-component",
  rankLabels: [],
  shows: "served",
  mend: "point the target at the worker's system port (DYN_SYSTEM_PORT); engines behind it that publish series of their own are better read as vllm, sglang or trtllm",
  ...dynamoWorker,
};
