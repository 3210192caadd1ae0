import { createProcessLister } from "./compute-processes.ts";
import { createFieldReader } from "./field-values.ts";
import { CLOCK, FIELD, RC, rcName, throttleFields } from "./fields.ts";
import { openGpmWindow } from "./gpm-window.ts";
import { LAYOUT, structVersion } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";
import { createMigInstances } from "./mig-instances.ts";
import { createMemoryReader, number32, text } from "./out-values.ts";
import type { PodOfProcess } from "./pod-of-process.ts";
import type { GpuFigure, GpuReading, RemappedRows } from "./reading.ts";
import { createThrottleReader } from "./throttle.ts";
import type { XidCount } from "./xid-events.ts";

export interface GpuDevice {
  readonly handle: bigint;
  /**
   * The GPU, and after it its MIG instances. `now` is monotonic seconds. A GPU that cannot be read at all has a reading without figures and
   * says why in `lost`.
   */
  read(
    now: number,
    xids: readonly XidCount[],
  ): { readonly reading: GpuReading; readonly instances: readonly GpuReading[]; readonly lost?: string };
}

interface Basis {
  readonly nvml: NvmlLibrary;
  readonly handle: bigint;
  readonly driver: string;
  readonly podOf: PodOfProcess;
}

type Figures = Partial<Record<GpuFigure, number>>;

/**
 * One GPU. Deliberately not called, for what they cost on an H200 (docs/gpu.md): energy (3–17 ms), process utilization (2.4 ms),
 * PcieThroughput (blocks 21 ms per direction), the PCIe byte fields 197 and 198 (wrap many times a second).
 */
export function openGpu(basis: Basis, index: number): GpuDevice {
  const { nvml, handle, driver } = basis;
  const uuid = text((buffer) => nvml.uuid(handle, buffer, buffer.length)) ?? `index-${index}`;
  const name = text((buffer) => nvml.name(handle, buffer, buffer.length)) ?? "unknown";
  const gpm = openGpmWindow(nvml, handle);
  const softThermal = throttleFields(driver)?.sw;
  const readFields = createFieldReader(nvml, handle, [...Object.values(FIELD), ...(softThermal === undefined ? [] : [softThermal])]);
  const throttle = createThrottleReader(nvml, handle, driver);
  const processes = createProcessLister(nvml, handle, basis.podOf);
  const memory = createMemoryReader(nvml, handle);
  const basics = createBasicReader(nvml, handle);
  const mig = createMigInstances({ nvml, handle, podOf: basis.podOf, index, uuid });
  return {
    handle,
    read(now, xids) {
      const { figures, rc } = memory();
      const identity = { index, uuid, name, gpm: gpm !== undefined };
      if (rc === RC.gpuIsLost || rc === RC.uninitialized || rc === RC.unknown)
        return {
          reading: { ...identity, xid: bare(xids), figures: {}, throttleSecondsByReason: {}, eccErrors: {}, problems: [] },
          instances: [],
          lost: `GPU ${index} (${uuid}): ${rcName(rc)}`,
        };
      const fields = readFields();
      const window = gpm?.read(now);
      const split = migMode(nvml, handle);
      if (split !== true) mig.clear();
      const instances = split === true ? mig.read(now, xids) : [];
      const known = new Set(instances.map((i) => i.instance?.id));
      // A split GPU's processes are its instances', and so are their pods.
      const running = split === true ? undefined : processes();
      const rows = remappedRows(fields);
      const problem = window?.unsupported === true && split === true ? undefined : window?.problem;
      const reading: GpuReading = {
        ...identity,
        xid: bare(xids.filter((x) => !known.has(x.instance))),
        figures: { ...figures, ...basics(), ...fieldFigures(fields, nvml, handle), ...window?.figures },
        throttleSecondsByReason: throttle(fields, now),
        eccErrors: eccErrors(fields),
        ...(rows !== undefined && { remappedRows: rows }),
        ...(running !== undefined && { processes: running }),
        ...(split !== undefined && { mig: split }),
        problems: problem === undefined ? [] : [`GPU ${index}: ${problem}`],
      };
      return { reading, instances };
    },
  };
}

/** Without the instance that is not reported on its own: two instances may have had the same XID. */
function bare(xids: readonly XidCount[]): GpuReading["xid"] {
  const counts = new Map<number, number>();
  for (const { xid, count } of xids) counts.set(xid, (counts.get(xid) ?? 0) + count);
  return [...counts].map(([xid, count]) => ({ xid, count }));
}

/** Temperature and clocks. */
function createBasicReader(nvml: NvmlLibrary, handle: bigint): () => Figures {
  const { temperatureV1 } = LAYOUT;
  const temperature = Buffer.alloc(temperatureV1.size);
  const word = Buffer.alloc(4);
  return () => {
    const figures: Figures = {};
    temperature.fill(0).writeUInt32LE(structVersion(temperatureV1.size, 1), temperatureV1.version);
    if (nvml.temperatureV?.(handle, temperature) === RC.success)
      figures.temperatureCelsius = temperature.readInt32LE(temperatureV1.temperature);
    else if (nvml.temperature?.(handle, 0, word) === RC.success) figures.temperatureCelsius = word.readUInt32LE();
    if (nvml.clock?.(handle, CLOCK.sm, word) === RC.success) figures.smClockHertz = word.readUInt32LE() * 1e6;
    if (nvml.clock?.(handle, CLOCK.memory, word) === RC.success) figures.memoryClockHertz = word.readUInt32LE() * 1e6;
    return figures;
  };
}

/** Power as the mean of the last second, so that what happens between two reads is in it. */
function fieldFigures(fields: ReadonlyMap<number, number>, nvml: NvmlLibrary, handle: bigint): Figures {
  const figures: Figures = {};
  const milliwatts = fields.get(FIELD.powerAverage) ?? number32((buffer) => nvml.powerUsage?.(handle, buffer));
  if (milliwatts !== undefined) figures.powerWatts = milliwatts / 1000;
  const memoryTemperature = fields.get(FIELD.memoryTemperature);
  // Boards without the sensor answer 0.
  if (memoryTemperature !== undefined && memoryTemperature > 0) figures.memoryTemperatureCelsius = memoryTemperature;
  return figures;
}

/** Named as the DCGM fields are: single- and double-bit errors since the driver was loaded. */
function eccErrors(fields: ReadonlyMap<number, number>): Record<string, number> {
  const [single, double] = [fields.get(FIELD.eccSingleBitVolatile), fields.get(FIELD.eccDoubleBitVolatile)];
  return { ...(single !== undefined && { sbe_volatile: single }), ...(double !== undefined && { dbe_volatile: double }) };
}

function remappedRows(fields: ReadonlyMap<number, number>): RemappedRows | undefined {
  const [correctable, uncorrectable] = [fields.get(FIELD.remappedCorrectable), fields.get(FIELD.remappedUncorrectable)];
  const [pending, failed] = [fields.get(FIELD.remapPending), fields.get(FIELD.remapFailed)];
  const rows: RemappedRows = {
    ...(correctable !== undefined && { correctable }),
    ...(uncorrectable !== undefined && { uncorrectable }),
    ...(pending !== undefined && { pending: pending !== 0 }),
    ...(failed !== undefined && { failed: failed !== 0 }),
  };
  return Object.keys(rows).length === 0 ? undefined : rows;
}

function migMode(nvml: NvmlLibrary, handle: bigint): boolean | undefined {
  const pending = Buffer.alloc(4);
  const current = number32((buffer) => nvml.migMode?.(handle, buffer, pending));
  return current === undefined ? undefined : current === 1;
}
