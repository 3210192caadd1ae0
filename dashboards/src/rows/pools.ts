import { aggregate, gauge, quantile, rate } from "../promql.ts";
import { graph, NEARLY_FULL, NEUTRAL } from "../panels.ts";
import { POLICY, POOL } from "../scope.ts";

const BY = ["namespace", "policy", "role", "pool"] as const;

export const pools = [
  graph({
    title: "Replicas: ready, starting, desired",
    description: "Desired above ready plus starting: an action is pending, refused, or the policy only observes.",
    unit: "none",
    draw: "steps",
    queries: [
      {
        expr: aggregate<"fulcrum_ready_replicas">("max", BY, gauge("fulcrum_ready_replicas", POLICY)),
        legend: "{{role}} {{pool}} ready",
      },
      {
        expr: aggregate<"fulcrum_starting_replicas">("max", BY, gauge("fulcrum_starting_replicas", POLICY)),
        legend: "{{role}} {{pool}} starting",
      },
      {
        expr: aggregate<"fulcrum_desired_replicas">("max", BY, gauge("fulcrum_desired_replicas", POLICY)),
        legend: "{{role}} {{pool}} desired",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Utilization",
    description: "Demand ÷ capacity of the ready replicas, as the model sees it. Near or above 1 the pool is short.",
    unit: "percentunit",
    queries: [
      {
        expr: aggregate<"fulcrum_pool_utilization_ratio">("max", BY, gauge("fulcrum_pool_utilization_ratio", POLICY)),
        legend: "{{role}} {{pool}}",
      },
    ],
    thresholds: NEARLY_FULL,
  }),
  graph({
    title: "Requests waiting and running",
    description: "Waiting to be scheduled, all nodes, as the scaler adds them up; running in execution batches, from the agents.",
    unit: "none",
    queries: [
      {
        expr: aggregate<"fulcrum_pool_requests_waiting">("max", BY, gauge("fulcrum_pool_requests_waiting", POLICY)),
        legend: "{{role}} {{pool}} waiting",
      },
      {
        expr: aggregate<"fulcrum_requests_running">("sum", ["role", "pool"], gauge("fulcrum_requests_running", POOL)),
        legend: "{{role}} {{pool}} running",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Velocity of one replica",
    description: "Tokens per second that one replica sustains at its batch limit, as learned from what it delivered.",
    unit: "cps",
    queries: [
      {
        expr: aggregate<"fulcrum_velocity_tokens_per_second">("max", BY, gauge("fulcrum_velocity_tokens_per_second", POLICY)),
        legend: "{{role}} {{pool}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Time to start and to drain",
    description: "Seconds from a decision to a ready replica, and from told to stop to gone, as learned from what scaling really took.",
    unit: "s",
    queries: [
      {
        expr: aggregate<"fulcrum_lead_time_seconds">("max", BY, gauge("fulcrum_lead_time_seconds", POLICY)),
        legend: "{{role}} {{pool}} start",
      },
      {
        expr: aggregate<"fulcrum_drain_time_seconds">("max", BY, gauge("fulcrum_drain_time_seconds", POLICY)),
        legend: "{{role}} {{pool}} drain",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Tokens processed",
    description: "Prompt tokens (cached ones included), those of them served from a prefix cache, and tokens generated, per second.",
    unit: "cps",
    queries: [
      {
        expr: aggregate<"fulcrum_prompt_tokens_total">("sum", ["role", "pool"], rate("fulcrum_prompt_tokens_total", POOL)),
        legend: "{{role}} {{pool}} prompt",
      },
      {
        expr: aggregate<"fulcrum_cached_tokens_total">("sum", ["role", "pool"], rate("fulcrum_cached_tokens_total", POOL)),
        legend: "{{role}} {{pool}} cached",
      },
      {
        expr: aggregate<"fulcrum_generated_tokens_total">("sum", ["role", "pool"], rate("fulcrum_generated_tokens_total", POOL)),
        legend: "{{role}} {{pool}} generated",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Queue time p95",
    description: "Time requests waited before they were scheduled, 95th percentile over all nodes.",
    unit: "s",
    queries: [{ expr: quantile(0.95, "fulcrum_queue_seconds", ["role", "pool"], POOL), legend: "{{role}} {{pool}}" }],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "KV cache in use",
    description: "Mean over the pool's replicas. A full decode cache preempts or queues requests.",
    unit: "percentunit",
    max: 1,
    queries: [
      {
        expr: aggregate<"fulcrum_kv_cache_usage_ratio">("avg", ["role", "pool"], gauge("fulcrum_kv_cache_usage_ratio", POOL)),
        legend: "{{role}} {{pool}}",
      },
    ],
    thresholds: NEARLY_FULL,
  }),
  graph({
    title: "Recommended batch limit",
    description: "Tokens per pass for prefill, sequences for decode. How it is applied is the policy's choice.",
    unit: "none",
    draw: "steps",
    queries: [
      {
        expr: aggregate<"fulcrum_recommended_batch_limit">(
          "max",
          ["namespace", "policy", "role", "pool", "limit"],
          gauge("fulcrum_recommended_batch_limit", POLICY),
        ),
        legend: "{{role}} {{pool}} {{limit}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Evidence: coverage",
    description: "Replicas with fresh reports ÷ ready replicas. Below the policy's minimum (0.7 by default) the scaler holds.",
    unit: "percentunit",
    max: 1,
    queries: [
      {
        expr: aggregate<"fulcrum_pool_coverage_ratio">("min", BY, gauge("fulcrum_pool_coverage_ratio", POLICY)),
        legend: "{{role}} {{pool}}",
      },
    ],
    thresholds: [{ color: "red" }, { from: 0.7, color: "yellow" }, { from: 1, color: "green" }],
  }),
] as const;
