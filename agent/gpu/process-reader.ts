import { type Health, down, unknown, up } from "../scrape/health.ts";
import { type GpuState, drainedGpu, observeGpu } from "../summarize/gpus.ts";
import { toSample } from "./reading-sample.ts";
import type { GpuReader } from "./reader.ts";
import type { GpuReading, GpusReading } from "./reading.ts";
import type { ReaderSupervisor } from "./supervisor.ts";

export interface ProcessReader extends GpuReader {
  /** Whether the last read was good and some GPU has counters of its multiprocessors, memory and links. */
  hasCounters(): boolean;
  /** Cost of the reader's process since the last call, and its memory now; it is the agent's cost too. */
  takeCost(): { readonly cpuSeconds: number; readonly privateBytes: number };
  close(): void;
}

export interface ProcessReaderOptions {
  readonly target: "nvml" | "dcgm";
  readonly supervisor: ReaderSupervisor;
  /** Unix seconds. */
  readonly now: () => number;
  /** Monotonic seconds. */
  readonly clock: () => number;
  scraped(source: "gpu", seconds: number, bytes: number): void;
}

/** What the counters are called by those who can do something about their absence. */
const COUNTERS = { nvml: "GPM", dcgm: "profiling" } as const;

/** All GPUs of the node, through the process of one reader. While it does not answer, figures are absent, not old. */
export function createProcessReader({ target, supervisor, now, clock, scraped }: ProcessReaderOptions): ProcessReader {
  let states = new Map<string, GpuState>();
  let health: Health = unknown;
  let gpm = false;
  let cpu = { total: 0, taken: 0 };
  let memory = 0;
  return {
    target,
    async scrape() {
      const start = clock();
      const outcome = await supervisor.read();
      const duration = clock() - start;
      scraped("gpu", duration, 0);
      if (!outcome.ok) {
        health = down(health, now(), duration, outcome.error);
        gpm = false;
        memory = 0;
        return;
      }
      const { reading } = outcome;
      const seen = reading.gpus.map((gpu) => {
        const sample = toSample(gpu);
        const key = `${sample.uuid}/${sample.gpu}`;
        return [key, observeGpu(states.get(key), sample, now())] as const;
      });
      // A GPU that is gone stays until the XIDs it left with are reported.
      states = new Map([...[...states].filter(([, state]) => hasXids(state)), ...seen]);
      health = reading.gpus.every(isSilent)
        ? down(health, now(), duration, reading.lost.join("; "))
        : up(now(), duration, noteOf(reading, COUNTERS[target]));
      gpm = reading.gpus.some((gpu) => gpu.gpm);
      // A new process counts from zero.
      if (outcome.cpuSeconds < cpu.total) cpu = { total: 0, taken: cpu.taken - cpu.total };
      cpu = { ...cpu, total: outcome.cpuSeconds };
      memory = outcome.privateBytes;
    },
    health: () => health,
    take() {
      const taken = [...states.values()].filter((state) => health.state === "up" || hasXids(state));
      states = new Map([...states].map(([key, state]) => [key, drainedGpu(state)]));
      return taken;
    },
    hasCounters: () => gpm && health.state === "up",
    takeCost() {
      const cpuSeconds = Math.max(0, cpu.total - cpu.taken);
      cpu = { ...cpu, taken: cpu.total };
      return { cpuSeconds, privateBytes: memory };
    },
    close: () => supervisor.close(),
  };
}

const hasXids = ({ events }: GpuState): boolean => [...events.xid.values()].some((count) => count > 0);

/** Of a GPU that could not be read there is nothing but its XIDs. */
const isSilent = ({ figures }: GpuReading): boolean => Object.keys(figures).length === 0;

/** What an operator should know of a read that is good enough to use. */
function noteOf({ gpus, lost }: GpusReading, counters: string): string | undefined {
  const without = gpus.filter((gpu) => !gpu.gpm);
  const [first] = without;
  const noGpm =
    first === undefined
      ? []
      : [
          `${without.length} of ${gpus.length} GPUs (${first.name}) have no ${counters} counters: SM, tensor, DRAM, PCIe and NVLink stay absent`,
        ];
  const notes = [...lost, ...gpus.flatMap((gpu) => gpu.problems), ...noGpm];
  return notes.length === 0 ? undefined : notes.join("; ");
}
