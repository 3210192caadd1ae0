import type { NicCounts } from "../../core/nic.ts";
import { countsOf } from "./port-files.ts";

/** One look at one port. Counters by file, as the kernel shows them. */
export interface PortReading {
  readonly device: string;
  readonly port: number;
  readonly linkLayer?: string;
  readonly netdevs: readonly string[];
  /** Whether the port is ACTIVE; missing when the kernel does not say. */
  readonly up?: boolean;
  readonly linkBytesPerSecond?: number;
  readonly files: ReadonlyMap<string, number>;
}

/** What happened on a port between two looks. */
export interface PortWindow {
  readonly reading: PortReading;
  readonly counts: NicCounts;
  /** Counters that went back: a driver was reloaded, or a 32-bit counter was cleared. They say nothing of this window. */
  readonly resets: number;
}

/**
 * Two looks at one port → what it counted between them. A file seen for the first time sets its baseline. Values above 2^53 lose their last
 * bits as numbers: a few words in 10^15, far below what is judged from them.
 */
export function portWindow(before: PortReading | undefined, now: PortReading): PortWindow {
  const grown = new Map<string, number>();
  let resets = 0;
  for (const [file, value] of now.files) {
    const last = before?.files.get(file);
    if (last === undefined) continue;
    if (value >= last) grown.set(file, value - last);
    else resets++;
  }
  return { reading: now, counts: countsOf(grown), resets };
}

/** The text of a counter file → its value; undefined for anything but a whole number (drivers write "N/A (no PMA)"). */
export function counterValue(text: string): number | undefined {
  return /^\d{1,20}\s*$/.test(text) ? Number(text) : undefined;
}

/** `400 Gb/sec (4X NDR)` → bytes per second. */
export function linkRate(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) Gb\/sec/.exec(text);
  const gigabits = Number(match?.[1]);
  return gigabits > 0 ? (gigabits * 1e9) / 8 : undefined;
}

/** `4: ACTIVE` → true. */
export function isActive(text: string): boolean | undefined {
  const match = /^\s*\d+:\s*(\w+)/.exec(text);
  return match?.[1] === undefined ? undefined : match[1] === "ACTIVE";
}
