import { aggregate, gauge, increase, quantile, rate } from "../promql.ts";
import { graph, NEUTRAL, NONE_EXPECTED, stat, type Steps } from "../panels.ts";

const UP: Steps = [{ color: "red" }, { from: 1, color: "green" }];

export const self = [
  stat({
    title: "Agents connected",
    description: "Agents with an open link to the scaler.",
    unit: "none",
    queries: [
      { expr: aggregate<"fulcrum_agents_connected">("sum", [], gauge("fulcrum_agents_connected")), legend: "connected" },
      { expr: aggregate<"fulcrum_link_up">("count", [], gauge("fulcrum_link_up")), legend: "scraped" },
    ],
    thresholds: UP,
  }),
  stat({
    title: "Scaler may act",
    description: "1 while a scaler holds the right to act, 0 while none does.",
    unit: "none",
    queries: [{ expr: aggregate<"fulcrum_leader">("max", [], gauge("fulcrum_leader")), legend: "leader" }],
    thresholds: UP,
  }),
  stat({
    title: "Policy files valid",
    description: "0 while an invalid edit of the file is ignored and the last good version stays in force.",
    unit: "none",
    queries: [{ expr: aggregate<"fulcrum_policy_valid">("min", ["file"], gauge("fulcrum_policy_valid")), legend: "{{file}}" }],
    thresholds: UP,
  }),
  stat({
    title: "Sources down",
    description: "Engines, GPU pages and receivers whose last read failed.",
    unit: "none",
    queries: [
      {
        expr:
          aggregate<"fulcrum_source_up">("count", ["source"], gauge("fulcrum_source_up")) +
          " - " +
          aggregate<"fulcrum_source_up">("sum", ["source"], gauge("fulcrum_source_up")),
        legend: "{{source}}",
      },
    ],
    width: 12,
    thresholds: [{ color: "green" }, { from: 1, color: "red" }],
  }),
  graph({
    title: "Age of node reports",
    description:
      "Seconds since each node's last report. Agents report once a second; policies stop trusting a report after 10 s by default.",
    unit: "s",
    queries: [
      {
        expr: aggregate<"fulcrum_agent_report_age_seconds">("max", ["node"], gauge("fulcrum_agent_report_age_seconds")),
        legend: "{{node}}",
      },
    ],
    thresholds: [{ color: "green" }, { from: 10, color: "yellow" }, { from: 30, color: "red" }],
  }),
  graph({
    title: "Age of sources",
    description: "Seconds since the oldest good read of each kind of source.",
    unit: "s",
    queries: [
      { expr: aggregate<"fulcrum_source_age_seconds">("max", ["source"], gauge("fulcrum_source_age_seconds")), legend: "{{source}}" },
    ],
    thresholds: [{ color: "green" }, { from: 10, color: "yellow" }, { from: 30, color: "red" }],
  }),
  graph({
    title: "Scrape duration p95",
    description: "Time to read one source, by kind.",
    unit: "s",
    queries: [{ expr: quantile(0.95, "fulcrum_scrape_duration_seconds", ["source"]), legend: "{{source}}" }],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "CPU of Fulcrum",
    description: "Cores used by each agent and scaler process.",
    unit: "none",
    queries: [{ expr: rate("fulcrum_process_cpu_seconds_total"), legend: "{{job}} {{instance}}" }],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Memory of Fulcrum",
    description: "Resident memory of each agent and scaler process.",
    unit: "bytes",
    queries: [{ expr: gauge("fulcrum_process_resident_memory_bytes"), legend: "{{job}} {{instance}}" }],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Spans and reports lost",
    description: "Spans refused or not understood, node reports dropped by a full outbox, and messages the scaler refused, in each step.",
    unit: "none",
    draw: "bars",
    queries: [
      {
        expr: aggregate<"fulcrum_spans_dropped_total">("sum", ["reason"], increase("fulcrum_spans_dropped_total")),
        legend: "spans dropped: {{reason}}",
      },
      { expr: aggregate<"fulcrum_reports_dropped_total">("sum", [], increase("fulcrum_reports_dropped_total")), legend: "reports dropped" },
      {
        expr: aggregate<"fulcrum_reports_rejected_total">("sum", ["reason"], increase("fulcrum_reports_rejected_total")),
        legend: "messages refused: {{reason}}",
      },
    ],
    thresholds: NONE_EXPECTED,
  }),
] as const;
