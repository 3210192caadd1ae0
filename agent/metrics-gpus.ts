import type { MetricName } from "../core/catalog.ts";
import type { GpuReport, NodeReport } from "../wire/messages.ts";
import type { Labels, MetricFactory } from "./metrics-registry.ts";
import { createSeriesKeeper } from "./metrics-series.ts";
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

/** Gauges are rebuilt with each report: a GPU that is gone, or the pod it was held by, leaves no value behind. */
export function createGpuMetrics(factory: MetricFactory): (report: NodeReport, events: readonly GpuEvents[]) => void {
  const gauges = GAUGES.map(([field, name]) => ({ field, gauge: factory.gauge(name) }));
  const state = createStateGauges(factory);
  const throttle = factory.counter("fulcrum_gpu_clock_throttle_seconds_total");
  const xid = factory.counter("fulcrum_gpu_xid_errors_total");
  const ecc = factory.counter("fulcrum_gpu_ecc_errors_total");
  const keepers = [throttle, xid, ecc].map((counter) => ({ counter, keeper: createSeriesKeeper() }));

  const count = (index: 0 | 1 | 2, labels: Labels, amount: number): void => {
    const entry = keepers[index];
    entry?.counter.inc(labels, amount);
    entry?.keeper.touch(labels);
  };

  return (report, events) => {
    for (const { gauge } of gauges) gauge.reset();
    state.reset();
    for (const gpu of report.gpus) {
      const labels = { gpu: gpu.gpu, uuid: gpu.uuid, pod: gpu.pod ?? "", pool: gpu.pool ?? "", role: gpu.role ?? "" };
      for (const { field, gauge } of gauges) {
        const value = gpu[field];
        if (value !== undefined) gauge.set(labels, value);
      }
      state.set(labels, gpu);
      const own = events.find((e) => e.uuid === gpu.uuid && e.gpu === gpu.gpu);
      for (const [reason, seconds] of own?.throttleSeconds ?? []) count(0, { ...labels, reason }, seconds);
      for (const [code, times] of own?.xid ?? []) count(1, { ...labels, xid: String(code) }, times);
      for (const [kind, errors] of own?.ecc ?? []) count(2, { ...labels, kind }, errors);
    }
    for (const { counter, keeper } of keepers) for (const labels of keeper.expired()) counter.remove(labels);
  };
}

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
