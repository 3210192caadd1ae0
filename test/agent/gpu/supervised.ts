import {
  type NvmlSupervisor,
  type NvmlSupervisorOptions,
  type RestartReason,
  createNvmlSupervisor,
} from "../../../agent/gpu/supervisor.ts";
import type { NvmlReading } from "../../../agent/gpu/reading.ts";
import type { FakeDriver } from "./fake-driver.ts";

export interface Supervised {
  readonly supervisor: NvmlSupervisor;
  readonly restarts: readonly RestartReason[];
  /** Moves the supervisor's clock. */
  advance(seconds: number): void;
  /** A reading that must succeed. */
  read(): Promise<NvmlReading>;
  /** The reading after GPM's 100 ms. */
  readLater(): Promise<NvmlReading>;
}

/** The supervisor with the real process on the fake driver; its clock stands until the test moves it. */
export function supervise(driver: FakeDriver, options: Partial<NvmlSupervisorOptions> = {}): Supervised {
  let now = 1000;
  const restarts: RestartReason[] = [];
  const supervisor = createNvmlSupervisor({
    ...{ program: driver.program, library: driver.library, proc: driver.directory, clock: () => now, startLimit: 30, readLimit: 10 },
    restarted: (reason) => restarts.push(reason),
    ...options,
  });
  const read = async (): Promise<NvmlReading> => {
    const outcome = await supervisor.read();
    if (!outcome.ok) throw new Error(outcome.error);
    return outcome.reading;
  };
  return {
    ...{ supervisor, restarts, read },
    advance(seconds) {
      now += seconds;
    },
    async readLater() {
      await new Promise((resolve) => setTimeout(resolve, 120));
      return read();
    },
  };
}
