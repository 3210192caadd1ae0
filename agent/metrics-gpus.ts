import type { MetricName } from "../core/catalog.ts";
import type { GpuReport, NodeReport } from "../wire/messages.ts";
import type { Labels, MetricFactory } from "./metrics-registry.ts";
import { createTally } from "./metrics-tally.ts";
import type { GpuEvents } from "./summarize/gpus.ts";

const GAUGES = [
  ["smActive", "fulcrum_gpu_sm_active_ratio"],
  ["smOccupancy", "fulcrum_gpu_sm_occupancy_ratio"],
  ["tensorActive", "fulcrum_gpu_tensor_active_ratio"],
  ["fp64Active", "fulcrum_gpu_fp64_active_ratio"],
  ["fp32Active", "fulcrum_gpu_fp32_active_ratio"],
  ["fp16Active", "fulcrum_gpu_fp16_active_ratio"],
  ["dramActive", "fulcrum_gpu_dram_active_ratio"],
  ["memoryUsedBytes", "fulcrum_gpu_memory_used_bytes"],
  ["memoryTotalBytes", "fulcrum_gpu_memory_total_bytes"],
  ["powerWatts", "fulcrum_gpu_power_watts"],
  ["temperatureCelsius", "fulcrum_gpu_temperature_celsius"],
  ["memoryTemperatureCelsius", "fulcrum_gpu_memory_temperature_celsius"],
  ["smClockHertz", "fulcrum_gpu_sm_clock_hertz"],
  ["memoryClockHertz", "fulcrum_gpu_memory_clock_hertz"],
  ["pcieReceiveBytesPerSecond", "fulcrum_gpu_pcie_receive_bytes_per_second"],
  ["pcieTransmitBytesPerSecond", "fulcrum_gpu_pcie_transmit_bytes_per_second"],
  ["nvlinkReceiveBytesPerSecond", "fulcrum_gpu_nvlink_receive_bytes_per_second"],
  ["nvlinkTransmitBytesPerSecond", "fulcrum_gpu_nvlink_transmit_bytes_per_second"],
] as const satisfies readonly (readonly [keyof GpuReport, MetricName])[];

export interface GpuMetrics {
  /** Adds what happened since the report before. */
  count(report: NodeReport, events: readonly GpuEvents[]): void;
  /** Sets every gauge by this report and no other: a GPU that is gone, or the pod it was held by, leaves no value behind. */
  show(report: NodeReport): void;
}

export function createGpuMetrics(factory: MetricFactory): GpuMetrics {
  const gauges = GAUGES.map(([field, name]) => ({ field, gauge: factory.gauge(name) }));
  const state = createStateGauges(factory);
  const throttle = createTally(factory.counter("fulcrum_gpu_clock_throttle_seconds_total"), "reason");
  const xid = createTally(factory.counter("fulcrum_gpu_xid_errors_total"), "xid");
  const ecc = createTally(factory.counter("fulcrum_gpu_ecc_errors_total"), "kind");
  const tallies = [throttle, xid, ecc];

  return {
    count(report, events) {
      for (const gpu of report.gpus) {
        const own = events.find((e) => e.uuid === gpu.uuid && e.gpu === gpu.gpu);
        if (own === undefined) continue;
        const labels = labelsOf(gpu);
        const owner = { key: Object.values(labels).join("\u0000"), labels };
        for (const [reason, seconds] of own.throttleSeconds) throttle.add(owner, reason, seconds);
        for (const [code, times] of own.xid) xid.add(owner, String(code), times);
        for (const [kind, errors] of own.ecc) ecc.add(owner, kind, errors);
      }
      for (const tally of tallies) tally.turn();
    },
    show(report) {
      for (const { gauge } of gauges) gauge.reset();
      state.reset();
      for (const gpu of report.gpus) {
        const labels = labelsOf(gpu);
        for (const { field, gauge } of gauges) {
          const value = gpu[field];
          if (value !== undefined) gauge.set(labels, value);
        }
        state.set(labels, gpu);
      }
      for (const tally of tallies) tally.flush();
    },
  };
}

const labelsOf = ({ gpu, uuid, pod, pool, role }: GpuReport): Labels => ({ gpu, uuid, pod: pod ?? "", pool: pool ?? "", role: role ?? "" });

/** What is a state of the board and not a measurement. */
function createStateGauges(factory: MetricFactory): { reset(): void; set(labels: Labels, gpu: GpuReport): void } {
  const rows = factory.gauge("fulcrum_gpu_remapped_rows");
  const pending = factory.gauge("fulcrum_gpu_row_remap_pending");
  const failed = factory.gauge("fulcrum_gpu_row_remap_failed");
  const mig = factory.gauge("fulcrum_gpu_mig_enabled");
  const info = factory.gauge("fulcrum_gpu_instance_info");
  const share = factory.gauge("fulcrum_gpu_instance_share_ratio");
  return {
    reset() {
      for (const gauge of [rows, pending, failed, mig, info, share]) gauge.reset();
    },
    set(labels, { remappedRows, mig: split, instance }) {
      for (const kind of ["correctable", "uncorrectable"] as const) {
        const count = remappedRows?.[kind];
        if (count !== undefined) rows.set({ ...labels, kind }, count);
      }
      if (remappedRows?.pending !== undefined) pending.set(labels, Number(remappedRows.pending));
      if (remappedRows?.failed !== undefined) failed.set(labels, Number(remappedRows.failed));
      if (split !== undefined) mig.set(labels, Number(split));
      if (instance !== undefined) info.set({ ...labels, parent: instance.parent, profile: instance.profile ?? "" }, 1);
      if (instance?.share !== undefined) share.set(labels, instance.share);
    },
  };
}
