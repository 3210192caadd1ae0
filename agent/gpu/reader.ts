import type { Health } from "../scrape/health.ts";
import type { GpuState } from "../summarize/gpus.ts";

/** One way to read GPUs: NVML, or a dcgm-exporter page. */
export interface GpuReader {
  /** How it appears among the agent's sources. */
  readonly target: string;
  scrape(): Promise<void>;
  health(): Health;
  /** The GPUs of the last good read, with their events since the last take; none while they cannot be read. */
  take(): readonly GpuState[];
}
