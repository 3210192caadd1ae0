import { createProcessLister } from "./compute-processes.ts";
import { RC } from "./fields.ts";
import { type GpmWindow, openGpmWindow } from "./gpm-window.ts";
import { LAYOUT } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";
import { type MemoryFigures, createMemoryReader, number32, text } from "./out-values.ts";
import type { PodOfProcess } from "./pod-of-process.ts";
import type { GpuProcess, GpuReading, MigInstance } from "./reading.ts";
import type { XidCount } from "./xid-events.ts";

/** The GPU that is split. */
export interface SplitGpu {
  readonly nvml: NvmlLibrary;
  readonly handle: bigint;
  readonly podOf: PodOfProcess;
  readonly index: number;
  readonly uuid: string;
}

export interface MigInstances {
  /** Which instances there are is looked up anew now and then: they come and go while the driver is open. */
  read(now: number, xids: readonly XidCount[]): readonly GpuReading[];
  /** The GPU is whole again. */
  clear(): void;
}

interface Instance {
  readonly identity: Pick<GpuReading, "index" | "uuid" | "name"> & { readonly instance: MigInstance };
  readonly memory: () => { readonly figures: MemoryFigures; readonly rc: number };
  readonly processes: readonly (() => readonly GpuProcess[] | undefined)[];
}

/** Instances are made and removed by people and their controllers, not by the second. */
const LOOK_EVERY_SECONDS = 10;

/**
 * The MIG instances of one GPU, one reading per *GPU instance*: that is what owns memory and GPM counters. Compute instances within it share
 * both, so they are not told apart; their processes are all the instance's. Power, clocks, temperature, ECC and row remapping are not
 * measured per instance and stay with the whole GPU.
 */
export function createMigInstances(gpu: SplitGpu): MigInstances {
  const windows = new Map<number, GpmWindow | undefined>();
  let instances: readonly Instance[] = [];
  let lookedAt = Number.NEGATIVE_INFINITY;

  const closeWindows = (keep: ReadonlySet<number>): void => {
    for (const [id, window] of windows) {
      if (keep.has(id)) continue;
      window?.close();
      windows.delete(id);
    }
  };

  const look = (now: number): void => {
    instances = findInstances(gpu);
    lookedAt = now;
    const ids = new Set(instances.map((i) => i.identity.instance.id));
    closeWindows(ids);
    for (const id of ids) if (!windows.has(id)) windows.set(id, openGpmWindow(gpu.nvml, gpu.handle, id));
  };

  return {
    read(now, xids) {
      if (now - lookedAt >= LOOK_EVERY_SECONDS) look(now);
      const readings = instances.map((instance) => readInstance(instance, windows.get(instance.identity.instance.id), now, xids));
      const present = readings.filter((reading) => reading !== undefined);
      // One is gone: at the next read the others are looked up anew.
      if (present.length < readings.length) lookedAt = Number.NEGATIVE_INFINITY;
      return present;
    },
    clear() {
      instances = [];
      lookedAt = Number.NEGATIVE_INFINITY;
      closeWindows(new Set());
    },
  };
}

function readInstance(
  { identity, memory, processes }: Instance,
  window: GpmWindow | undefined,
  now: number,
  xids: readonly XidCount[],
): GpuReading | undefined {
  const { figures, rc } = memory();
  if (rc !== RC.success && rc !== RC.notSupported && rc !== RC.functionNotFound) return undefined;
  const gpm = window?.read(now);
  const running = processes.map((list) => list()).filter((list) => list !== undefined);
  const { id } = identity.instance;
  return {
    ...identity,
    gpm: window !== undefined,
    figures: { ...figures, ...gpm?.figures },
    ...{ throttleSecondsByReason: {}, eccErrors: {} },
    xid: xids.filter((x) => x.instance === id).map(({ xid, count }) => ({ xid, count })),
    ...(running.length > 0 && { processes: running.flat() }),
    problems: gpm?.problem === undefined ? [] : [`GPU ${identity.index}/${id}: ${gpm.problem}`],
  };
}

function findInstances({ nvml, handle, podOf, index, uuid }: SplitGpu): readonly Instance[] {
  const most = number32((out) => nvml.maxMigDevices?.(handle, out)) ?? 0;
  const byInstance = new Map<number, bigint[]>();
  for (let i = 0; i < most; i++) {
    const device = migDevice(nvml, handle, i);
    // Places between devices are empty: not found.
    const id = device === undefined ? undefined : number32((out) => nvml.gpuInstanceId?.(device, out));
    if (device !== undefined && id !== undefined) byInstance.set(id, [...(byInstance.get(id) ?? []), device]);
  }
  return [...byInstance].flatMap(([id, devices]) => {
    const [first] = devices;
    if (first === undefined) return [];
    const name = text((out) => nvml.name(first, out, out.length)) ?? "unknown";
    const profile = / MIG (\S+)$/.exec(name)?.[1];
    const slices = instanceSlices(nvml, first);
    const instance = {
      ...{ id, parent: uuid },
      ...(profile !== undefined && { profile }),
      // The most MIG devices a GPU takes are its compute slices, one each.
      ...(slices !== undefined && slices > 0 && { share: slices / most }),
    };
    const own = text((out) => nvml.uuid(first, out, out.length)) ?? `${uuid}/${id}`;
    return {
      identity: { index, uuid: own, name, instance },
      memory: createMemoryReader(nvml, first),
      processes: devices.map((device) => createProcessLister(nvml, device, podOf)),
    };
  });
}

function migDevice(nvml: NvmlLibrary, handle: bigint, index: number): bigint | undefined {
  const out = Buffer.alloc(8);
  return nvml.migDeviceByIndex?.(handle, index, out) === RC.success ? out.readBigUInt64LE() : undefined;
}

function instanceSlices(nvml: NvmlLibrary, device: bigint): number | undefined {
  const { deviceAttributes } = LAYOUT;
  const out = Buffer.alloc(deviceAttributes.size);
  return nvml.attributes?.(device, out) === RC.success ? out.readUInt32LE(deviceAttributes.gpuInstanceSliceCount) : undefined;
}
