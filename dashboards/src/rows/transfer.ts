import { aggregate, gauge, increase, observations, quantile, rate } from "../promql.ts";
import { graph, NEUTRAL, NONE_EXPECTED } from "../panels.ts";
import { POLICY, POOL } from "../scope.ts";

export const transfer = [
  graph({
    title: "KV transfer bandwidth",
    description:
      "KV cache bytes handed from prefill to decode per second of wall time. Source and target nodes where the engine names them.",
    unit: "Bps",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_transfer_bandwidth_bytes_per_second">(
          "sum",
          ["role", "pool", "source", "target"],
          gauge("fulcrum_kv_transfer_bandwidth_bytes_per_second", POOL),
        ),
        legend: "{{role}} {{pool}} {{source}} → {{target}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "KV transfer duration",
    description: "Duration of one transfer. It is part of the time to first token.",
    unit: "s",
    queries: [
      { expr: quantile(0.5, "fulcrum_kv_transfer_seconds", ["role", "pool"], POOL), legend: "{{role}} {{pool}} p50" },
      { expr: quantile(0.95, "fulcrum_kv_transfer_seconds", ["role", "pool"], POOL), legend: "{{role}} {{pool}} p95" },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "KV transfers and failures",
    description: "Transfers completed and transfers failed per second. A failed transfer costs its request a second prefill, or an error.",
    unit: "ops",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_transfer_seconds">("sum", ["role", "pool"], observations("fulcrum_kv_transfer_seconds", POOL)),
        legend: "{{role}} {{pool}} completed",
      },
      {
        expr: aggregate<"fulcrum_kv_transfer_failures_total">("sum", ["role", "pool"], rate("fulcrum_kv_transfer_failures_total", POOL)),
        legend: "{{role}} {{pool}} failed",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "KV path: engines beside links",
    description:
      "KV bytes as the engines count them (application) beside what RDMA, the plain network, PCIe and NVLink carried, for whatever purpose; all nodes. A transfer is counted by one of its engines and moved by the links of both nodes.",
    unit: "Bps",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_path_bytes_per_second">("sum", ["path", "direction"], gauge("fulcrum_kv_path_bytes_per_second")),
        legend: "{{path}} {{direction}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "KV transfers by link",
    description:
      "KV bytes of stitched requests by source and target node, per second of wall time. An end is empty where only the other is known.",
    unit: "Bps",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_link_bytes_per_second">("sum", ["source", "target"], gauge("fulcrum_kv_link_bytes_per_second", POLICY)),
        legend: "{{source}} → {{target}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Speed of links",
    description:
      "Bytes of the transfers over the time they took. vLLM has no time of the transfer itself: there it includes the wait of the decode side.",
    unit: "Bps",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_link_speed_bytes_per_second">(
          "avg",
          ["source", "target"],
          gauge("fulcrum_kv_link_speed_bytes_per_second", POLICY),
        ),
        legend: "{{source}} → {{target}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Transfer time by link",
    description: "Mean time of one transfer of a stitched request.",
    unit: "s",
    queries: [
      {
        expr:
          aggregate<"fulcrum_kv_link_transfer_seconds_total">(
            "sum",
            ["source", "target"],
            rate("fulcrum_kv_link_transfer_seconds_total", POLICY),
          ) +
          " / " +
          aggregate<"fulcrum_kv_link_transfers_total">("sum", ["source", "target"], rate("fulcrum_kv_link_transfers_total", POLICY)),
        legend: "{{source}} → {{target}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Failures by link",
    description: "Transfers that failed in each step. Engines count them on one node; the other end is empty where it is not known.",
    unit: "none",
    draw: "bars",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_link_failures_total">("sum", ["source", "target"], increase("fulcrum_kv_link_failures_total", POLICY)),
        legend: "{{source}} → {{target}}",
      },
    ],
    thresholds: NONE_EXPECTED,
  }),
  graph({
    title: "Slow links",
    description: "Links at least twice as slow as the median link of their policy.",
    unit: "none",
    draw: "steps",
    queries: [
      {
        expr: aggregate<"fulcrum_kv_link_slow">("max", ["source", "target"], gauge("fulcrum_kv_link_slow", POLICY)) + " > 0",
        legend: "{{source}} → {{target}}",
      },
    ],
    thresholds: NONE_EXPECTED,
  }),
  graph({
    title: "RDMA congestion and losses",
    description: "What the RDMA ports count per second: marks by switches, congestion notifications, packets repeated or out of sequence.",
    unit: "ops",
    queries: [
      {
        expr: aggregate<"fulcrum_rdma_events_total">(
          "sum",
          ["event"],
          rate("fulcrum_rdma_events_total", { event: '!~"receive_packets|transmit_packets|transmit_wait"' }),
        ),
        legend: "{{event}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "KV path problems",
    description: "Nodes on which the agent sees KV transfers fallen back to TCP, or a congested path. No series while nothing says.",
    unit: "none",
    draw: "steps",
    queries: [{ expr: aggregate<"fulcrum_kv_path_problem">("sum", ["problem"], gauge("fulcrum_kv_path_problem")), legend: "{{problem}}" }],
    thresholds: NONE_EXPECTED,
  }),
] as const;
