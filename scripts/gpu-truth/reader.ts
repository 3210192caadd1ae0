import { load } from "koffi";
import { openNvml } from "../../agent/gpu/nvml.ts";
import type { GpusReading } from "../../agent/gpu/reading.ts";

export interface Tick {
  readonly reading: GpusReading;
  /** Seconds of CLOCK_MONOTONIC when the read ended. */
  readonly at: number;
  readonly wallMicros: number;
  readonly cpuMicros: number;
}

export interface TruthReader {
  readonly driver: string;
  tick(): Tick;
  /** Joules that GPU 0 used so far, by its own counter; it costs milliseconds, which is why the agent does not read it. */
  energyJoules(): number | undefined;
  /** Peak bytes per second of GPU 0's memory at a memory clock, from its bus width; two transfers per clock. */
  memoryPeak(clockHertz: number): number | undefined;
}

export const monotonic = (): number => Number(process.hrtime.bigint()) / 1e9;

/** The agent's reader in this process, so that its cost can be measured call by call, and two calls that only the truth needs. */
export async function openReader(library: string): Promise<TruthReader> {
  const nvml = await openNvml(library, "/proc");
  const driver = load(library);
  const ask = (symbol: string): ((device: bigint | undefined, out: Uint8Array) => number) => {
    try {
      return driver.func(symbol, "int", ["uintptr_t", "void *"]) as (device: bigint | undefined, out: Uint8Array) => number;
    } catch {
      // Not in this driver: no such truth.
      return () => 13;
    }
  };
  const energy = ask("nvmlDeviceGetTotalEnergyConsumption");
  const busWidth = ask("nvmlDeviceGetMemoryBusWidth");
  const [gpu] = nvml.handles;
  const out = Buffer.alloc(8);
  return {
    driver: nvml.driver,
    tick() {
      const start = monotonic();
      const cpu = process.cpuUsage();
      const reading = nvml.read(start);
      const { user, system } = process.cpuUsage(cpu);
      const at = monotonic();
      return { reading, at, wallMicros: (at - start) * 1e6, cpuMicros: user + system };
    },
    energyJoules: () => (energy(gpu, out) === 0 ? Number(out.readBigUInt64LE()) / 1000 : undefined),
    memoryPeak: (clock) => (busWidth(gpu, out) === 0 ? (clock * 2 * out.readUInt32LE()) / 8 : undefined),
  };
}
