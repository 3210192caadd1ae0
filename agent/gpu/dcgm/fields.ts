import type { GpuFigure } from "../reading.ts";

/** DCGM numbers by name: what the reader asks for, with the vendor's ids (dcgm_fields.h, dcgm_structs.h). */

export const STATUS = {
  ok: 0,
  versionMismatch: -12,
  noData: -14,
} as const;

const STATUS_NAMES: Readonly<Record<number, string>> = {
  [-1]: "bad parameter",
  [-3]: "generic error",
  [-6]: "not supported",
  [-7]: "initialization failed",
  [-8]: "NVML error",
  [-10]: "not initialized",
  [-11]: "timeout",
  [-12]: "versions of library and host engine differ",
  [-13]: "unknown field",
  [-14]: "no data",
  [-15]: "stale data",
  [-16]: "not watched",
  [-17]: "no permission",
  [-18]: "GPU is lost",
  [-19]: "GPU needs a reset",
  [-21]: "connection to the host engine is not valid",
  [-24]: "limit reached",
  [-29]: "host engine does not run as root",
  [-33]: "module not loaded",
  [-34]: "in use",
  [-36]: "profiling not supported on these GPUs",
  [-37]: "profiling library failed",
  [-38]: "counters do not fit in one pass",
};

export const statusName = (status: number): string => `${STATUS_NAMES[status] ?? "error"} (DCGM ${status})`;

/** dcgm_field_entity_group_t. */
export const ENTITY = { gpu: 1, gpuInstance: 4 } as const;

/** What people know a profiling error by, and what to do. */
export const PROFILING_MENDS: Readonly<Record<number, string>> = {
  [-29]: "run nv-hostengine as root",
  [-33]: "install the profiling module of the host engine's release (package datacenter-gpu-manager-4-proprietary)",
  [-34]: "end the other program that profiles",
  [-36]: "these GPUs have no such counters",
  [-37]: "restart nv-hostengine",
};

export interface FigureField {
  readonly id: number;
  readonly name: GpuFigure;
  /** Into base units. */
  readonly scale: number;
}

const MIB = 1024 * 1024;
const MHZ = 1e6;

/** Means over the host engine's own interval, shares in 0..1 and rates in bytes per second already. */
export const PROFILING_FIELDS: readonly FigureField[] = [
  { id: 1002, name: "smActive", scale: 1 },
  { id: 1003, name: "smOccupancy", scale: 1 },
  { id: 1004, name: "tensorActive", scale: 1 },
  { id: 1005, name: "dramActive", scale: 1 },
  { id: 1006, name: "fp64Active", scale: 1 },
  { id: 1007, name: "fp32Active", scale: 1 },
  { id: 1008, name: "fp16Active", scale: 1 },
  { id: 1009, name: "pcieTransmitBytesPerSecond", scale: 1 },
  { id: 1010, name: "pcieReceiveBytesPerSecond", scale: 1 },
  { id: 1011, name: "nvlinkTransmitBytesPerSecond", scale: 1 },
  { id: 1012, name: "nvlinkReceiveBytesPerSecond", scale: 1 },
];

const MEMORY_USED: FigureField = { id: 252, name: "memoryUsedBytes", scale: MIB };
const MEMORY_TOTAL: FigureField = { id: 250, name: "memoryTotalBytes", scale: MIB };

/** Of a whole GPU, at every read. */
export const GPU_FIGURES: readonly FigureField[] = [
  { id: 100, name: "smClockHertz", scale: MHZ },
  { id: 101, name: "memoryClockHertz", scale: MHZ },
  { id: 140, name: "memoryTemperatureCelsius", scale: 1 },
  { id: 150, name: "temperatureCelsius", scale: 1 },
  { id: 155, name: "powerWatts", scale: 1 },
  MEMORY_USED,
  MEMORY_TOTAL,
];

/**
 * Of a MIG instance. Fields that DCGM keeps per GPU are not asked for: they are not measured per instance, and a host engine that answers with
 * the whole GPU's value would have seven instances draw the power of seven GPUs.
 */
export const INSTANCE_FIGURES: readonly FigureField[] = [MEMORY_USED, MEMORY_TOTAL];

/** Cumulative nanoseconds, by reason. */
export const THROTTLE_FIELDS: ReadonlyMap<number, string> = new Map([
  [1420, "sw_power_cap"],
  [1421, "sync_boost"],
  [1422, "sw_thermal"],
  [1423, "hw_thermal"],
  [1424, "hw_power_brake"],
]);

export const ECC_FIELDS: ReadonlyMap<number, string> = new Map([
  [310, "sbe_volatile"],
  [311, "dbe_volatile"],
]);

export const FIELD = {
  driverVersion: 1,
  name: 50,
  nvmlIndex: 52,
  uuid: 54,
  migMode: 67,
  migMaxSlices: 69,
  /** Bitmask of the reasons in force; the times above came with DCGM 4. */
  clockReasons: 112,
  computePids: 221,
  xid: 230,
  remappedUncorrectable: 393,
  remappedCorrectable: 394,
  remapFailed: 395,
  remapPending: 396,
} as const;

/** Looked at by the host engine and read from it every ten seconds. */
export const SLOW_FIELDS: readonly number[] = [
  ...ECC_FIELDS.keys(),
  ...[FIELD.remappedUncorrectable, FIELD.remappedCorrectable, FIELD.remapFailed, FIELD.remapPending, FIELD.migMode],
];
