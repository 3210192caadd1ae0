import { type GpuDevice, openGpu } from "./device.ts";
import { RC, rcName } from "./fields.ts";
import { type NvmlLibrary, loadNvml } from "./library.ts";
import { loading } from "./loading.ts";
import { createPodOfProcess } from "./pod-of-process.ts";
import { ReaderUnusable } from "./process-messages.ts";
import type { GpusReading } from "./reading.ts";
import { openXidEvents } from "./xid-events.ts";

export interface Nvml {
  readonly driver: string;
  readonly gpus: number;
  /** `now` is monotonic seconds. */
  read(now: number): GpusReading;
  /** The bare library and the GPUs' handles, for measurements beside the reader. */
  readonly library: NvmlLibrary;
  readonly handles: readonly bigint[];
}

/**
 * Opens the driver library in THIS process. Only the NVML process does that in the product: a driver that hangs or crashes takes its caller
 * along. All calls are synchronous, because that process has nothing else to do.
 */
export async function openNvml(path: string, proc: string): Promise<Nvml> {
  const library = await loading(path, loadNvml);
  const started = library.init();
  if (started !== RC.success) throw new ReaderUnusable("no-driver", `nvmlInit: ${rcName(started)}`);
  const driver = driverVersion(library);
  const podOf = createPodOfProcess(proc);
  const { devices, missing } = openDevices(library, driver, podOf);
  if (devices.length + missing.length === 0) throw new ReaderUnusable("no-gpu", `driver ${driver} shows no GPU to this process`);
  const handles = devices.map((device) => device.handle);
  const events = openXidEvents(library, handles);
  return {
    ...{ driver, gpus: devices.length, library, handles },
    read(now) {
      const xids = events.take();
      const results = devices.map((device) => device.read(now, xids.get(device.handle) ?? []));
      // A GPU is lost with an XID that says so; its last word must not be lost with it.
      const kept = results.filter((r) => r.lost === undefined || r.reading.xid.length > 0);
      const gpus = kept.flatMap((r) => [r.reading, ...r.instances]);
      const [first, ...rest] = gpus;
      const withEvents =
        first === undefined || events.problem === undefined ? gpus : [{ ...first, problems: [...first.problems, events.problem] }, ...rest];
      return { driver, gpus: withEvents, lost: [...missing, ...results.map((r) => r.lost).filter((lost) => lost !== undefined)] };
    },
  };
}

function openDevices(
  library: NvmlLibrary,
  driver: string,
  podOf: (pid: number) => string | undefined,
): { readonly devices: readonly GpuDevice[]; readonly missing: readonly string[] } {
  const devices: GpuDevice[] = [];
  const missing: string[] = [];
  const out = Buffer.alloc(8);
  const counted = library.deviceCount(out);
  if (counted !== RC.success) throw new ReaderUnusable("no-driver", `nvmlDeviceGetCount: ${rcName(counted)}`);
  const count = out.readUInt32LE();
  for (let index = 0; index < count; index++) {
    const rc = library.deviceByIndex(index, out);
    if (rc === RC.success) devices.push(openGpu({ nvml: library, handle: out.readBigUInt64LE(), driver, podOf }, index));
    else missing.push(`GPU ${index}: ${rcName(rc)}`);
  }
  return { devices, missing };
}

function driverVersion(library: NvmlLibrary): string {
  const buffer = Buffer.alloc(80);
  const rc = library.driverVersion(buffer, buffer.length);
  return rc === RC.success ? buffer.toString("latin1", 0, Math.max(0, buffer.indexOf(0))) : "unknown";
}
