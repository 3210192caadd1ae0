import { aggregate, gauge, increase, quantile, rate } from "../promql.ts";
import { graph, NEUTRAL, NONE_EXPECTED } from "../panels.ts";
import { POLICY } from "../scope.ts";

export const decisions = [
  graph({
    title: "Decisions by leading reason",
    description: "Control decisions per second, by the reason that led. The page and the journal hold the whole chain of reasons.",
    unit: "ops",
    draw: "bars",
    queries: [
      {
        expr: aggregate<"fulcrum_decisions_total">("sum", ["namespace", "policy", "reason"], rate("fulcrum_decisions_total", POLICY)),
        legend: "{{policy}} {{reason}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Holds by reason",
    description: "Decisions per second that left the pools as they are although the model wanted a change.",
    unit: "ops",
    draw: "bars",
    queries: [
      {
        expr: aggregate<"fulcrum_holds_total">("sum", ["namespace", "policy", "reason"], rate("fulcrum_holds_total", POLICY)),
        legend: "{{policy}} {{reason}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Set aside by an operator, for",
    description: "Seconds since an operator set the policy to do less than its own mode says (paused or observe). Empty while nobody has.",
    unit: "s",
    queries: [
      {
        expr: `time() - ${aggregate<"fulcrum_override_since_seconds">("max", ["namespace", "policy", "mode"], gauge("fulcrum_override_since_seconds", POLICY))}`,
        legend: "{{policy}} {{mode}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Replica changes by direction",
    description: "Actions applied in each step.",
    unit: "none",
    draw: "bars",
    queries: [
      {
        expr: aggregate<"fulcrum_scale_actions_total">(
          "sum",
          ["namespace", "policy", "role", "pool", "direction"],
          increase("fulcrum_scale_actions_total", POLICY),
        ),
        legend: "{{role}} {{pool}} {{direction}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Reversals and failed actions",
    description: "Changes of direction of one pool within 120 s, and actions that could not be applied. Both should stay at zero.",
    unit: "none",
    draw: "bars",
    queries: [
      {
        expr: aggregate<"fulcrum_scale_reversals_total">(
          "sum",
          ["namespace", "policy", "role", "pool"],
          increase("fulcrum_scale_reversals_total", POLICY),
        ),
        legend: "{{role}} {{pool}} reversals",
      },
      {
        expr: aggregate<"fulcrum_scale_failures_total">(
          "sum",
          ["namespace", "policy", "role", "pool"],
          increase("fulcrum_scale_failures_total", POLICY),
        ),
        legend: "{{role}} {{pool}} failed",
      },
    ],
    thresholds: NONE_EXPECTED,
  }),
  graph({
    title: "Model error",
    description:
      "Relative error of each latency model against what was delivered, rolling. A large one makes the scaler refit and plan with more margin.",
    unit: "percentunit",
    queries: [
      {
        expr: aggregate<"fulcrum_model_error_ratio">("max", ["namespace", "policy", "model"], gauge("fulcrum_model_error_ratio", POLICY)),
        legend: "{{policy}} {{model}}",
      },
    ],
    thresholds: [{ color: "green" }, { from: 0.25, color: "yellow" }, { from: 0.5, color: "red" }],
  }),
  graph({
    title: "Control tick duration",
    description: "95th percentile over the last window, by stage.",
    unit: "s",
    queries: [{ expr: quantile(0.95, "fulcrum_tick_duration_seconds", ["stage"]), legend: "{{stage}} p95" }],
    thresholds: NEUTRAL,
  }),
] as const;
