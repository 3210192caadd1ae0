import { aggregate, gauge, quantile, rate } from "../promql.ts";
import { graph, NEUTRAL, stat, type Query, type Steps } from "../panels.ts";
import { POLICY, POOL } from "../scope.ts";

/** Attainment is judged against the objective's own quantile; the usual one is p95, so 0.95 marks the edge. */
const ATTAINED: Steps = [{ color: "red" }, { from: 0.9, color: "yellow" }, { from: 0.95, color: "green" }];

const attainment = (objective: "ttft" | "itl"): string =>
  aggregate<"fulcrum_objective_attainment_ratio">(
    "min",
    ["namespace", "policy"],
    gauge("fulcrum_objective_attainment_ratio", { ...POLICY, objective: `="${objective}"` }),
  );

const target = (objective: "ttft" | "itl"): Query => ({
  expr: aggregate<"fulcrum_objective_seconds">(
    "max",
    ["namespace", "policy", "q"],
    gauge("fulcrum_objective_seconds", { ...POLICY, objective: `="${objective}"` }),
  ),
  legend: "target of {{policy}} at q={{q}}",
});

const quantiles = (name: "fulcrum_ttft_seconds" | "fulcrum_itl_seconds"): [Query, Query, Query] => [
  { expr: quantile(0.5, name, ["role", "pool"], POOL), legend: "{{role}} {{pool}} p50" },
  { expr: quantile(0.95, name, ["role", "pool"], POOL), legend: "{{role}} {{pool}} p95" },
  { expr: quantile(0.99, name, ["role", "pool"], POOL), legend: "{{role}} {{pool}} p99" },
];

const POLICY_LABELS = ["namespace", "policy"] as const;

export const objectives = [
  stat({
    title: "TTFT within target",
    description: "Share of the last control interval's requests whose time to first token met the policy's target, fleet-wide.",
    unit: "percentunit",
    min: 0,
    max: 1,
    queries: [{ expr: attainment("ttft"), legend: "{{policy}}" }],
    thresholds: ATTAINED,
  }),
  stat({
    title: "ITL within target",
    description: "Share of the last control interval's tokens whose inter-token latency met the policy's target, fleet-wide.",
    unit: "percentunit",
    min: 0,
    max: 1,
    queries: [{ expr: attainment("itl"), legend: "{{policy}}" }],
    thresholds: ATTAINED,
  }),
  stat({
    title: "GPUs in use",
    description: "GPUs of ready and starting replicas: what the policy costs now. The second figure is its budget, where it has one.",
    unit: "none",
    width: 8,
    queries: [
      {
        expr: aggregate<"fulcrum_gpus_allocated">("max", POLICY_LABELS, gauge("fulcrum_gpus_allocated", POLICY)),
        legend: "{{policy}} in use",
      },
      { expr: aggregate<"fulcrum_gpu_budget">("max", POLICY_LABELS, gauge("fulcrum_gpu_budget", POLICY)), legend: "{{policy}} budget" },
    ],
    thresholds: NEUTRAL,
  }),
  stat({
    title: "Objective samples judged",
    description: "Samples judged per second: one per request for TTFT, one per token for ITL. No samples means no verdict, not a good one.",
    unit: "cps",
    width: 8,
    queries: [
      {
        expr: aggregate<"fulcrum_objective_requests_total">("sum", ["objective"], rate("fulcrum_objective_requests_total", POLICY)),
        legend: "{{objective}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "TTFT: observed, predicted, target",
    description:
      "Time to first token as the scaler sees it: delivered in the last interval, predicted by the model for the plan it chose, and the policy's target. " +
      "Observed above target is a miss; predicted far from observed is a model that does not fit.",
    unit: "s",
    width: 12,
    queries: [
      {
        expr: aggregate<"fulcrum_observed_ttft_seconds">(
          "max",
          ["namespace", "policy", "q"],
          gauge("fulcrum_observed_ttft_seconds", POLICY),
        ),
        legend: "observed {{policy}} q={{q}}",
      },
      {
        expr: aggregate<"fulcrum_predicted_ttft_seconds">("max", POLICY_LABELS, gauge("fulcrum_predicted_ttft_seconds", POLICY)),
        legend: "predicted {{policy}}",
      },
      target("ttft"),
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "ITL: observed, predicted, target",
    description:
      "Inter-token latency as the scaler sees it: delivered in the last interval, predicted by the model for the plan it chose, and the policy's target.",
    unit: "s",
    width: 12,
    queries: [
      {
        expr: aggregate<"fulcrum_observed_itl_seconds">("max", ["namespace", "policy", "q"], gauge("fulcrum_observed_itl_seconds", POLICY)),
        legend: "observed {{policy}} q={{q}}",
      },
      {
        expr: aggregate<"fulcrum_predicted_itl_seconds">("max", POLICY_LABELS, gauge("fulcrum_predicted_itl_seconds", POLICY)),
        legend: "predicted {{policy}}",
      },
      target("itl"),
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "TTFT by pool (agents)",
    description:
      "Quantiles over all nodes from the agents' histograms. With prefill and decode apart, a prefill engine counts only its own half; " +
      "the decode side (or a frontend) counts the KV transfer too.",
    unit: "s",
    width: 6,
    queries: quantiles("fulcrum_ttft_seconds"),
    thresholds: NEUTRAL,
  }),
  graph({
    title: "ITL by pool (agents)",
    description: "Quantiles over all nodes from the agents' histograms.",
    unit: "s",
    width: 6,
    queries: quantiles("fulcrum_itl_seconds"),
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Objective misses",
    description: "Share of judged samples that missed the target. The line is the allowance of a p95 objective: 5 %.",
    unit: "percentunit",
    width: 6,
    max: 1,
    queries: [
      {
        expr:
          aggregate<"fulcrum_objective_misses_total">(
            "sum",
            ["namespace", "policy", "objective"],
            rate("fulcrum_objective_misses_total", POLICY),
          ) +
          " / " +
          aggregate<"fulcrum_objective_requests_total">(
            "sum",
            ["namespace", "policy", "objective"],
            rate("fulcrum_objective_requests_total", POLICY),
          ),
        legend: "{{policy}} {{objective}}",
      },
    ],
    thresholds: [{ color: "green" }, { from: 0.05, color: "red" }],
  }),
  graph({
    title: "TTFT taken from",
    description:
      "The side that the scaler took the observed TTFT from: a frontend before stitched spans before decode before prefill. A change here changes " +
      "what the figure means. Gaps are intervals in which nothing was observed.",
    unit: "none",
    width: 6,
    max: 1,
    queries: [
      {
        expr: aggregate<"fulcrum_ttft_source">("max", ["namespace", "policy", "source"], gauge("fulcrum_ttft_source", POLICY)),
        legend: "{{policy}} {{source}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Where the time to first token goes",
    description:
      "Mean of each part over stitched requests: wait for prefill, prefill, KV transfer, wait for a place in the decode batch and its first step.",
    unit: "s",
    queries: [
      {
        expr:
          aggregate<"fulcrum_ttft_part_seconds_total">("sum", ["part"], rate("fulcrum_ttft_part_seconds_total", POLICY)) +
          " / " +
          aggregate<"fulcrum_ttft_part_requests_total">("sum", ["part"], rate("fulcrum_ttft_part_requests_total", POLICY)),
        legend: "{{part}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Error budget spent",
    description:
      "Share of the misses that the objective allows (1 − quantile of the samples) that the last hours have spent. Below 1 the scaler eases its caution; above it the objective is missed.",
    unit: "percentunit",
    queries: [
      {
        expr: aggregate<"fulcrum_objective_budget_spent_ratio">(
          "max",
          ["namespace", "policy", "objective"],
          gauge("fulcrum_objective_budget_spent_ratio", POLICY),
        ),
        legend: "{{policy}} {{objective}}",
      },
    ],
    thresholds: [{ color: "green" }, { from: 0.8, color: "yellow" }, { from: 1, color: "red" }],
  }),
] as const;
