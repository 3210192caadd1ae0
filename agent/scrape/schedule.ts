/**
 * Beats of one loop: at `origin + phase + k·period` on the monotonic clock. A beat that is still running when the next
 * is due swallows it: a loop never overlaps itself, and a slow round is followed by the next beat on the grid, not by a burst.
 */
export interface Schedule {
  readonly period: number;
  /** Seconds after the grid point, so that many targets are not read at the same instant. */
  readonly phase: number;
  /** Monotonic seconds of grid point 0; loops that share it keep their order within a period. */
  readonly origin: number;
}

export const monotonicSeconds = (): number => performance.now() / 1000;

/** Runs until aborted. `run` must not throw; what it throws ends the loop, because only a bug can. */
export async function everyBeat(schedule: Schedule, signal: AbortSignal, run: () => Promise<void> | void): Promise<void> {
  if (signal.aborted) return;
  let timer: NodeJS.Timeout | undefined;
  let wake: (() => void) | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    wake?.();
  };
  // One listener for the whole loop: a node has tens of loops, and one for each beat would be most of what a beat costs.
  signal.addEventListener("abort", stop, { once: true });
  let beat = Number.NEGATIVE_INFINITY;
  for (;;) {
    const now = monotonicSeconds();
    // Timers come up to a millisecond early; a beat that is over by then must not be run a second time.
    beat = nextBeat(schedule, Math.max(now, beat));
    const wait = Math.max(0, beat - now) * 1000;
    await new Promise<void>((resolve) => {
      wake = resolve;
      timer = setTimeout(resolve, wait);
    });
    if (isAborted(signal)) return;
    await run();
    if (isAborted(signal)) return;
  }
}

/** A call, because the compiler takes the property for unchanged over an `await`. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** The first beat strictly after `now`. */
export function nextBeat({ period, phase, origin }: Schedule, now: number): number {
  const first = origin + phase;
  if (now < first) return first;
  return first + (Math.floor((now - first) / period + 1e-9) + 1) * period;
}

export function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, seconds * 1000);
    signal.addEventListener("abort", finish, { once: true });
  });
}

const SLOTS = 5;

/**
 * Where in the period a target is read: a hash of its name (FNV-1a, then murmur3's mixing, because names differ in their last letters only) chooses
 * one of five slots in the first half. The second half is left free so that a normal scrape is in before the report at the period's end, and every
 * report covers one scrape. Slots, because a process that wakes up for one target alone takes twice as long for it as right after another.
 */
export function phaseOf(name: string, period: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash = (hash ^ (hash >>> 16)) >>> 0;
  return (Math.floor((hash / 2 ** 32) * SLOTS) / SLOTS) * 0.5 * period;
}
