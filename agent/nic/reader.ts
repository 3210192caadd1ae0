import { type Health, down, unknown, up } from "../scrape/health.ts";
import { everyBeat, monotonicSeconds, sleep } from "../scrape/schedule.ts";
import { readInterfaces } from "./read-interfaces.ts";
import { createPorts, MAX_PORTS } from "./ports.ts";
import { joinWindows, type NicLook, nicWindow, type NicWindow } from "./window.ts";

/** RDMA ports and network interfaces of the node, read once a period. */
export interface NicReader {
  /** The newest look, to show ports and their state. */
  latest(): NicLook | undefined;
  /** What was carried since the last call; undefined until a new window has closed. */
  take(): NicWindow | undefined;
  /** Undefined on a node without RDMA ports. */
  health(): Health | undefined;
  run(signal: AbortSignal): Promise<void>;
}

/** Reports between two looks: every file of a ConnectX costs its firmware a command, and 5 s are short beside what is judged. */
const REPORTS_PER_LOOK = 5;
/** A driver that answers later than this hangs: the loop goes on and does not ask again until it has answered. */
const TIMEOUT = 2;

export interface NicReaderOptions {
  readonly sysRoot: string;
  readonly procRoot: string;
  readonly now: () => number;
  /** Seconds between two reports. */
  readonly interval: number;
}

export function createNicReader({ sysRoot, procRoot, now, interval }: NicReaderOptions): NicReader {
  const ports = createPorts(sysRoot);
  let look: NicLook | undefined;
  let pending: NicWindow | undefined;
  let health: Health = unknown;
  let reading: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    const at = monotonicSeconds();
    const [seen, interfaces] = await Promise.all([ports.read(), readInterfaces(procRoot)]);
    const next = { at, ports: seen, interfaces };
    if (look !== undefined) {
      const window = nicWindow(look, next);
      pending = pending === undefined ? window : joinWindows(pending, window);
    }
    look = next;
    const note = ports.leftOut() > 0 ? `${ports.leftOut()} ports over the limit of ${MAX_PORTS} are not read` : undefined;
    health = up(now(), monotonicSeconds() - at, note);
  };

  const beat = async (): Promise<void> => {
    if (reading === undefined) {
      reading = read().finally(() => (reading = undefined));
      const settled = new AbortController();
      await Promise.race([reading, sleep(TIMEOUT, settled.signal)]);
      settled.abort();
    }
    if (reading !== undefined) health = down(health, now(), TIMEOUT, `a port's counters were not read within ${TIMEOUT} s`);
  };

  return {
    latest: () => look,
    take() {
      const taken = pending;
      pending = undefined;
      return taken;
    },
    health: () => (look !== undefined && look.ports.length === 0 && health.state === "up" ? undefined : health),
    async run(signal) {
      await beat();
      await everyBeat({ period: REPORTS_PER_LOOK * interval, phase: 0, origin: monotonicSeconds() }, signal, beat);
      if (reading === undefined) await ports.close();
    },
  };
}
