import { createHash } from "node:crypto";
import type { FleetNode } from "./config.ts";
import { watts } from "./gpu-activity.ts";
import type { GpuReading } from "./gpu-meter.ts";

/** Who runs on a GPU. */
export interface GpuTenant {
  readonly replica: number;
  readonly pod: string;
}

/** One GPU of the simulated fleet and what its exporter would show now. */
export interface GpuDevice {
  readonly node: string;
  readonly index: number;
  readonly uuid: string;
  tenant: GpuTenant | undefined;
  reading: GpuReading;
  energyMillijoules: number;
  celsius: number;
}

const IDLE: GpuReading = {
  busy: 0,
  sm: 0,
  tensor: 0,
  dram: 0,
  pcieTransmit: 0,
  pcieReceive: 0,
  nvlinkTransmit: 0,
  nvlinkReceive: 0,
  watts: watts({ sm: 0, tensor: 0, dram: 0 }),
};

/** Temperature rises about 5 °C per 100 W over an idle 30 °C and follows the power with some inertia. */
const IDLE_CELSIUS = 30;
const CELSIUS_PER_WATT = 0.05;
const THERMAL_SECONDS = 20;

export function createGpuDevices(nodes: readonly FleetNode[], seed: number): readonly GpuDevice[] {
  return nodes.flatMap((node) =>
    Array.from({ length: node.gpus }, (_, index) => ({
      node: node.name,
      index,
      uuid: uuidOf(`${seed}/${node.name}/${index}`),
      tenant: undefined,
      reading: IDLE,
      energyMillijoules: 0,
      celsius: IDLE_CELSIUS,
    })),
  );
}

/** Takes a reading for every GPU; called once a second, as the exporter caches. */
export function tickGpus(devices: readonly GpuDevice[], seconds: number, read: (replica: number) => GpuReading): void {
  for (const device of devices) {
    device.reading = device.tenant === undefined ? IDLE : read(device.tenant.replica);
    device.energyMillijoules += device.reading.watts * seconds * 1000;
    const settled = IDLE_CELSIUS + (device.reading.watts - IDLE.watts) * CELSIUS_PER_WATT;
    device.celsius += (settled - device.celsius) * Math.min(1, seconds / THERMAL_SECONDS);
  }
}

function uuidOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `GPU-${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-")}`;
}
