/** NVML numbers by name: what the reader asks for, with the vendor's ids (nvml.h). */

export const RC = {
  success: 0,
  uninitialized: 1,
  notSupported: 3,
  noPermission: 4,
  insufficientSize: 7,
  timeout: 10,
  functionNotFound: 13,
  gpuIsLost: 15,
  unknown: 999,
} as const;

const RC_NAMES: Readonly<Record<number, string>> = {
  1: "not initialized",
  2: "invalid argument",
  3: "not supported",
  4: "no permission",
  6: "not found",
  7: "insufficient size",
  9: "driver not loaded",
  10: "timeout",
  12: "library not found",
  13: "function not found",
  15: "GPU is lost",
  16: "reset required",
  17: "operating system refused",
  18: "driver and library versions differ; restart after the driver update is complete",
  999: "unknown error",
};

export const rcName = (rc: number): string => `${RC_NAMES[rc] ?? "error"} (NVML ${rc})`;

/** Event types of nvmlDeviceRegisterEvents. */
export const EVENT_XID = 8n;

export const FIELD = {
  eccSingleBitVolatile: 3,
  eccDoubleBitVolatile: 4,
  swPowerCapNs: 74,
  syncBoostNs: 76,
  memoryTemperature: 82,
  remappedCorrectable: 142,
  remappedUncorrectable: 143,
  remapPending: 144,
  remapFailed: 145,
  powerAverage: 185,
} as const;

/**
 * Ids of the thermal and power-brake throttle times. They were 251–253 in the headers of R570 and R575 and moved to 269–271 with R580, where
 * 251–253 became settings of power smoothing; older drivers have none. (NVIDIA's own Python bindings 12.570, 12.575 and 13.580 show the move.)
 */
export function throttleFields(driver: string): { readonly sw: number; readonly hw: number; readonly brake: number } | undefined {
  const major = Number.parseInt(driver, 10);
  if (major >= 580) return { sw: 269, hw: 270, brake: 271 };
  return major >= 570 ? { sw: 251, hw: 252, brake: 253 } : undefined;
}

/** Bits of nvmlDeviceGetCurrentClocksEventReasons. */
export const CLOCK_REASON = { hwThermal: 0x40, powerBrake: 0x80 } as const;

export const CLOCK = { sm: 1, memory: 2 } as const;

export interface GpmMetric {
  readonly id: number;
  /** Names of GpuSample where it has one; shares in 0..1, rates in bytes per second. */
  readonly name: string;
  readonly scale: number;
}

const PERCENT = 0.01;
const MIB = 1024 * 1024;

/** Utilizations come in percent, rates in MiB/s. */
export const GPM_METRICS = [
  { id: 2, name: "smActive", scale: PERCENT },
  { id: 3, name: "smOccupancy", scale: PERCENT },
  { id: 5, name: "tensorActive", scale: PERCENT },
  { id: 10, name: "dramActive", scale: PERCENT },
  { id: 11, name: "fp64Active", scale: PERCENT },
  { id: 12, name: "fp32Active", scale: PERCENT },
  { id: 13, name: "fp16Active", scale: PERCENT },
  { id: 20, name: "pcieTransmitBytesPerSecond", scale: MIB },
  { id: 21, name: "pcieReceiveBytesPerSecond", scale: MIB },
  { id: 60, name: "nvlinkReceiveBytesPerSecond", scale: MIB },
  { id: 61, name: "nvlinkTransmitBytesPerSecond", scale: MIB },
] as const satisfies readonly GpmMetric[];

export type GpmName = (typeof GPM_METRICS)[number]["name"];
