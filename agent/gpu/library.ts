import type { LibraryHandle } from "koffi";

/** A call that takes pointers (a buffer, or an address) and numbers and returns an NVML return code. */
type Call = (...args: readonly (Uint8Array | bigint | number | null)[]) => number;

/** The part of libnvidia-ml in use. What a driver may lack is undefined there. */
export interface NvmlLibrary {
  readonly init: Call;
  readonly shutdown: Call;
  readonly driverVersion: Call;
  readonly deviceCount: Call;
  readonly deviceByIndex: Call;
  readonly uuid: Call;
  readonly name: Call;
  readonly memory: Call | undefined;
  readonly powerUsage: Call | undefined;
  readonly temperatureV: Call | undefined;
  readonly temperature: Call | undefined;
  readonly clock: Call | undefined;
  readonly clockReasons: Call | undefined;
  readonly fieldValues: Call | undefined;
  readonly processes: Call | undefined;
  readonly migMode: Call | undefined;
  readonly maxMigDevices: Call | undefined;
  readonly migDeviceByIndex: Call | undefined;
  readonly gpuInstanceId: Call | undefined;
  readonly attributes: Call | undefined;
  readonly eventSetCreate: Call | undefined;
  readonly registerEvents: Call | undefined;
  readonly eventSetWait: Call | undefined;
  readonly gpmSupport: Call | undefined;
  readonly gpmSampleAlloc: Call | undefined;
  readonly gpmSampleFree: Call | undefined;
  readonly gpmSampleGet: Call | undefined;
  readonly gpmMigSampleGet: Call | undefined;
  readonly gpmMetricsGet: Call | undefined;
}

/** Handles are opaque pointers and pass as 64-bit numbers; structures pass as buffers whose bytes layout.ts describes. */
type Argument = "handle" | "pointer" | "uint";
const TYPES = { handle: "uintptr_t", pointer: "void *", uint: "uint32_t" } as const;

/** Loads the driver library; koffi, an optional dependency, is loaded here and nowhere else. Throws what either says when it is not there. */
export async function loadNvml(path: string): Promise<NvmlLibrary> {
  const { load } = await import("koffi");
  const library = load(path);
  const need = (symbol: string, ...args: readonly Argument[]): Call => declare(library, symbol, args);
  const want = (symbols: readonly string[], ...args: readonly Argument[]): Call | undefined => {
    for (const symbol of symbols) {
      try {
        return declare(library, symbol, args);
      } catch {
        // An older driver lacks it: the next name, or absent.
      }
    }
    return undefined;
  };
  return {
    init: need("nvmlInit_v2"),
    shutdown: need("nvmlShutdown"),
    driverVersion: need("nvmlSystemGetDriverVersion", "pointer", "uint"),
    deviceCount: need("nvmlDeviceGetCount_v2", "pointer"),
    deviceByIndex: need("nvmlDeviceGetHandleByIndex_v2", "uint", "pointer"),
    uuid: need("nvmlDeviceGetUUID", "handle", "pointer", "uint"),
    name: need("nvmlDeviceGetName", "handle", "pointer", "uint"),
    memory: want(["nvmlDeviceGetMemoryInfo_v2"], "handle", "pointer"),
    powerUsage: want(["nvmlDeviceGetPowerUsage"], "handle", "pointer"),
    temperatureV: want(["nvmlDeviceGetTemperatureV"], "handle", "pointer"),
    temperature: want(["nvmlDeviceGetTemperature"], "handle", "uint", "pointer"),
    clock: want(["nvmlDeviceGetClockInfo"], "handle", "uint", "pointer"),
    clockReasons: want(["nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"], "handle", "pointer"),
    fieldValues: want(["nvmlDeviceGetFieldValues"], "handle", "uint", "pointer"),
    processes: want(["nvmlDeviceGetComputeRunningProcesses_v3"], "handle", "pointer", "pointer"),
    migMode: want(["nvmlDeviceGetMigMode"], "handle", "pointer", "pointer"),
    maxMigDevices: want(["nvmlDeviceGetMaxMigDeviceCount"], "handle", "pointer"),
    migDeviceByIndex: want(["nvmlDeviceGetMigDeviceHandleByIndex"], "handle", "uint", "pointer"),
    gpuInstanceId: want(["nvmlDeviceGetGpuInstanceId"], "handle", "pointer"),
    attributes: want(["nvmlDeviceGetAttributes_v2"], "handle", "pointer"),
    eventSetCreate: want(["nvmlEventSetCreate"], "pointer"),
    // The event types are a 64-bit mask, which is what a handle passes as too.
    registerEvents: want(["nvmlDeviceRegisterEvents"], "handle", "handle", "handle"),
    eventSetWait: want(["nvmlEventSetWait_v2"], "handle", "pointer", "uint"),
    gpmSupport: want(["nvmlGpmQueryDeviceSupport"], "handle", "pointer"),
    gpmSampleAlloc: want(["nvmlGpmSampleAlloc"], "pointer"),
    gpmSampleFree: want(["nvmlGpmSampleFree"], "handle"),
    gpmSampleGet: want(["nvmlGpmSampleGet"], "handle", "handle"),
    gpmMigSampleGet: want(["nvmlGpmMigSampleGet"], "handle", "uint", "handle"),
    gpmMetricsGet: want(["nvmlGpmMetricsGet"], "pointer"),
  };
}

const declare = (library: LibraryHandle, symbol: string, args: readonly Argument[]): Call =>
  library.func(
    symbol,
    "int",
    args.map((a) => TYPES[a]),
  ) as Call;
