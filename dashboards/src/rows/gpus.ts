import { aggregate, counter, gauge, increase, rate } from "../promql.ts";
import { graph, NEUTRAL, NONE_EXPECTED } from "../panels.ts";
import { GPU } from "../scope.ts";

const BY = ["gpu", "uuid", "pod", "pool", "role"] as const;

/**
 * What happened, and one zero line for each GPU whose source counts such events: all its quiet kinds would bury the rest, and no
 * line at all would look like a source that does not say.
 */
const eventsOrZero = (events: string, name: "fulcrum_gpu_clock_throttle_seconds_total" | "fulcrum_gpu_xid_errors_total"): string =>
  `(${events} > 0) or 0 * ${aggregate<"fulcrum_gpu_clock_throttle_seconds_total">("max", BY, counter(name, GPU))}`;

const activity = (name: "fulcrum_gpu_sm_active_ratio" | "fulcrum_gpu_tensor_active_ratio" | "fulcrum_gpu_dram_active_ratio"): string =>
  aggregate<"fulcrum_gpu_sm_active_ratio">("avg", ["role"], gauge(name, GPU));

export const gpus = [
  graph({
    title: "GPU activity by role",
    description:
      "Mean over the GPUs of a role. Prefill lives on tensor cores, decode on memory. Plain GPU utilization is left out on purpose: " +
      "it reads 99 % during a copy and at batch 1.",
    unit: "percentunit",
    max: 1,
    queries: [
      { expr: activity("fulcrum_gpu_sm_active_ratio"), legend: "{{role}} SM" },
      { expr: activity("fulcrum_gpu_tensor_active_ratio"), legend: "{{role}} tensor" },
      { expr: activity("fulcrum_gpu_dram_active_ratio"), legend: "{{role}} DRAM" },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "GPU power",
    description: "Power draw, mean over the GPUs of a role.",
    unit: "watt",
    queries: [{ expr: aggregate<"fulcrum_gpu_power_watts">("avg", ["role"], gauge("fulcrum_gpu_power_watts", GPU)), legend: "{{role}}" }],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "GPU temperature",
    description: "Hottest GPU of each role. 85 °C and 92 °C are usual warning and alarm levels of data-centre cards; yours may differ.",
    unit: "celsius",
    queries: [
      {
        expr: aggregate<"fulcrum_gpu_temperature_celsius">("max", ["role"], gauge("fulcrum_gpu_temperature_celsius", GPU)),
        legend: "{{role}} hottest",
      },
    ],
    thresholds: [{ color: "green" }, { from: 85, color: "yellow" }, { from: 92, color: "red" }],
  }),
  graph({
    title: "GPU memory in use",
    description: "Share of installed memory, mean over the GPUs of a role. Engines reserve most of it for the KV cache at start.",
    unit: "percentunit",
    max: 1,
    queries: [
      {
        expr:
          aggregate<"fulcrum_gpu_memory_used_bytes">("sum", ["role"], gauge("fulcrum_gpu_memory_used_bytes", GPU)) +
          " / " +
          aggregate<"fulcrum_gpu_memory_total_bytes">("sum", ["role"], gauge("fulcrum_gpu_memory_total_bytes", GPU)),
        legend: "{{role}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "Clock throttling",
    description:
      "Share of time a GPU's clocks were held down, by reason. A power cap under full load is normal; thermal and hardware reasons are not. " +
      "A flat zero is drawn for GPUs whose source tells reasons and had none.",
    unit: "percentunit",
    queries: [
      {
        expr: eventsOrZero(
          aggregate<"fulcrum_gpu_clock_throttle_seconds_total">(
            "sum",
            [...BY, "reason"],
            rate("fulcrum_gpu_clock_throttle_seconds_total", GPU),
          ),
          "fulcrum_gpu_clock_throttle_seconds_total",
        ),
        legend: "{{role}} {{pod}} GPU {{gpu}} {{reason}}",
      },
    ],
    thresholds: NEUTRAL,
  }),
  graph({
    title: "XID events",
    description: "Errors the driver reported in each step. A flat zero is drawn for GPUs whose source tells XIDs and had none.",
    unit: "none",
    draw: "bars",
    queries: [
      {
        expr: eventsOrZero(
          aggregate<"fulcrum_gpu_xid_errors_total">("sum", [...BY, "xid"], increase("fulcrum_gpu_xid_errors_total", GPU)),
          "fulcrum_gpu_xid_errors_total",
        ),
        legend: "{{role}} {{pod}} GPU {{gpu}} XID {{xid}}",
      },
    ],
    thresholds: NONE_EXPECTED,
  }),
] as const;
