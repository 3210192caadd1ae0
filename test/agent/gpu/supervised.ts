import {
  type ReaderSupervisor,
  type ReaderSupervisorOptions,
  type RestartReason,
  createReaderSupervisor,
} from "../../../agent/gpu/supervisor.ts";
import type { GpusReading } from "../../../agent/gpu/reading.ts";
import type { FakeDriver } from "./fake-driver.ts";

export interface Supervised {
  readonly supervisor: ReaderSupervisor;
  readonly restarts: readonly RestartReason[];
  /** Moves the supervisor's clock. */
  advance(seconds: number): void;
  /** A reading that must succeed. */
  read(): Promise<GpusReading>;
  /** The reading after GPM's 100 ms. */
  readLater(): Promise<GpusReading>;
}

/** Options of the supervisor, and the library and the /proc of its process. */
export type SupervisedOptions = Partial<ReaderSupervisorOptions> & { readonly library?: string; readonly proc?: string };

/** The supervisor with the real process on the fake driver; its clock stands until the test moves it. */
export function supervise(driver: Pick<FakeDriver, "program" | "library" | "directory">, options: SupervisedOptions = {}): Supervised {
  let now = 1000;
  const restarts: RestartReason[] = [];
  const { library = driver.library, proc = driver.directory, ...rest } = options;
  const supervisor = createReaderSupervisor({
    ...{ name: "NVML", program: driver.program, clock: () => now, startLimit: 30, readLimit: 10 },
    start: { type: "start", library, proc },
    restarted: (reason) => restarts.push(reason),
    ...rest,
  });
  const read = async (): Promise<GpusReading> => {
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
