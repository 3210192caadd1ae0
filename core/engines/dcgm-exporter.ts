import type { ForeignUnit } from "./dialect.ts";
import { CLOCK_EVENTS_SERIES } from "./gpu-clocks.ts";

/**
 * dcgm-exporter fields as data. The exporter prints whatever its CSV names, so the names before DCGM 4.6 and after its great renaming are both
 * met; the first that is present wins. Deliberately not read:
 * - GPU_UTIL: "one or more kernels ran"; a decode engine pins it at 100 with a single request.
 * - NVLINK_BANDWIDTH_TOTAL: an average in MB/s over the watch interval, both directions, declared as counter.
 * - *_VIOLATION: sources disagree on µs or ns. The CLOCKS_EVENT_REASON_*_NS twins (gpu-clocks.ts) carry their unit in the name.
 */
export type GpuValueName =
  | "smActive"
  | "tensorActive"
  | "dramActive"
  | "memoryUsedBytes"
  | "memoryFreeBytes"
  | "memoryReservedBytes"
  | "memoryTotalBytes"
  | "powerWatts"
  | "temperatureCelsius"
  | "pcieReceiveBytesPerSecond"
  | "pcieTransmitBytesPerSecond"
  | "nvlinkReceiveBytesPerSecond"
  | "nvlinkTransmitBytesPerSecond"
  | "energyJoules"
  | "lastXid"
  | "clockEvents";

export interface GpuRule {
  readonly name: GpuValueName;
  readonly series: readonly string[];
  readonly unit?: ForeignUnit;
}

export const GPU_RULES: readonly GpuRule[] = [
  { name: "smActive", series: ["DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO"] },
  { name: "tensorActive", series: ["DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_TENSOR_UTIL_RATIO"] },
  { name: "dramActive", series: ["DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_DRAM_UTIL_RATIO"] },
  { name: "memoryUsedBytes", series: ["DCGM_FI_DEV_FB_USED"], unit: "MiB" },
  { name: "memoryFreeBytes", series: ["DCGM_FI_DEV_FB_FREE"], unit: "MiB" },
  { name: "memoryReservedBytes", series: ["DCGM_FI_DEV_FB_RESERVED"], unit: "MiB" },
  { name: "memoryTotalBytes", series: ["DCGM_FI_DEV_FB_TOTAL"], unit: "MiB" },
  { name: "powerWatts", series: ["DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS"] },
  { name: "temperatureCelsius", series: ["DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS"] },
  // Rates in B/s, though many CSVs declare them counters.
  { name: "pcieReceiveBytesPerSecond", series: ["DCGM_FI_PROF_PCIE_RX_BYTES"] },
  { name: "pcieTransmitBytesPerSecond", series: ["DCGM_FI_PROF_PCIE_TX_BYTES"] },
  { name: "nvlinkReceiveBytesPerSecond", series: ["DCGM_FI_PROF_NVLINK_RX_BYTES"] },
  { name: "nvlinkTransmitBytesPerSecond", series: ["DCGM_FI_PROF_NVLINK_TX_BYTES"] },
  { name: "energyJoules", series: ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"], unit: "mJ" },
  { name: "lastXid", series: ["DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR"] },
  { name: "clockEvents", series: CLOCK_EVENTS_SERIES },
];

/** ECC errors by kind: volatile counts begin at the last driver load, aggregate ones are kept on the board. Off in the default CSV. */
export const ECC_SERIES: ReadonlyMap<string, string> = new Map([
  ["DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "sbe_volatile"],
  ["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "dbe_volatile"],
  ["DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "sbe_aggregate"],
  ["DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "dbe_aggregate"],
]);

/** XIDs seen in the exporter's own window, one series per code. */
export const XID_COUNT_SERIES = "DCGM_EXP_XID_ERRORS_COUNT";

/** 2^63 − 16 = DCGM_INT64_BLANK and its successors (not found, not supported, no permission). 0x7ffffffffffffff0 rounds to 2^63 as a double. */
const INT64_BLANK = 2 ** 63 - 1024;
/** DCGM_FP64_BLANK and its three successors. */
const FP64_BLANK = 140737488355328;

/** Old exporters print "no value" as a huge number; it is absent, not a reading. */
export const isBlankValue = (value: number): boolean =>
  !Number.isFinite(value) || value >= INT64_BLANK || (value >= FP64_BLANK && value <= FP64_BLANK + 3);

export interface GpuLabels {
  readonly gpu: string;
  readonly uuid: string;
  readonly pod?: string;
  readonly namespace?: string;
  readonly container?: string;
  /** Of a MIG instance, whose UUID label is that of the whole GPU. */
  readonly instance?: { readonly parent: string; readonly profile?: string };
}

/** Undefined for series that are not about one whole GPU or MIG instance (links, switches, CPUs). */
export function gpuLabels(labels: ReadonlyMap<string, string>): GpuLabels | undefined {
  const gpu = labels.get("gpu");
  const uuid = first(labels, "UUID", "uuid", "gpu_uuid");
  if (gpu === undefined || uuid === undefined || labels.has("nvlink")) return undefined;
  const instance = first(labels, "GPU_I_ID");
  const profile = first(labels, "GPU_I_PROFILE");
  const pod = first(labels, "pod", "pod_name", "exported_pod");
  const namespace = first(labels, "namespace", "pod_namespace", "exported_namespace");
  const container = first(labels, "container", "container_name", "exported_container");
  return {
    gpu: instance === undefined ? gpu : `${gpu}/${instance}`,
    uuid,
    ...(instance === undefined ? {} : { instance: { parent: uuid, ...(profile === undefined ? {} : { profile }) } }),
    ...(pod === undefined ? {} : { pod }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(container === undefined ? {} : { container }),
  };
}

function first(labels: ReadonlyMap<string, string>, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = labels.get(name);
    if (value !== undefined && value !== "") return value;
  }
  return undefined;
}
