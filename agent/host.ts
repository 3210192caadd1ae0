import { availableParallelism, loadavg } from "node:os";
import { mem } from "systeminformation/lib/memory.js";
import { type Result, err, ok } from "../core/result.ts";
import type { NodeReport } from "../wire/messages.ts";
import { type Health, down, unknown, up } from "./scrape/health.ts";
import { everyBeat, monotonicSeconds } from "./scrape/schedule.ts";

type HostFacts = NodeReport["host"];

export interface HostReader {
  latest(): HostFacts;
  health(): Health;
  run(signal: AbortSignal): Promise<void>;
}

/** Host facts move slowly; reading them every 5 s keeps them off the scrape path and below 0.1 % of a core. */
const PERIOD = 5;

/**
 * Memory and load of the node. Of systeminformation only `mem()` is used, and loaded: it reads /proc/meminfo without a
 * child process, while most of its other calls start several. Whatever it answers as 0 counts as unknown.
 */
export function createHostReader(now: () => number): HostReader {
  let latest: HostFacts = { cores: availableParallelism() };
  let health: Health = unknown;

  const read = async (): Promise<void> => {
    const at = monotonicSeconds();
    const memory = await readMemory();
    const [load1] = loadavg();
    latest = {
      cores: availableParallelism(),
      ...(load1 !== undefined && { load1 }),
      ...(memory.ok && memory.value),
    };
    const duration = monotonicSeconds() - at;
    health = memory.ok ? up(now(), duration) : down(health, now(), duration, memory.error);
  };

  return {
    latest: () => latest,
    health: () => health,
    async run(signal) {
      await read();
      await everyBeat({ period: PERIOD, phase: 0, origin: monotonicSeconds() }, signal, read);
    },
  };
}

async function readMemory(): Promise<Result<Pick<HostFacts, "memoryUsedBytes" | "memoryTotalBytes">, string>> {
  try {
    // `used` includes page cache that the kernel gives back on demand; total − available is what is really taken.
    const { total, available } = await mem();
    return total > 0 && available > 0 ? ok({ memoryTotalBytes: total, memoryUsedBytes: total - available }) : err("memory size reads as 0");
  } catch (cause) {
    return err(`memory cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
