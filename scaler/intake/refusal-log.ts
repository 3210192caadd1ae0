import type { Log } from "../log.ts";
import type { Refusal } from "./server.ts";

/** Lines per kind of refusal and minute; an agent that is refused comes back every few seconds, and there may be a thousand. */
const LINES = 10;
const MINUTE = 60;

interface Told {
  readonly since: number;
  readonly lines: number;
  readonly leftOut: number;
}

/** Tells refusals; what is too much for a minute is counted, and its number told with the next that is told. `clock` in seconds. */
export function createRefusalLog(log: Log, clock: () => number): (code: Refusal, node?: string, why?: string) => void {
  const kinds = new Map<Refusal, Told>();
  return (code, node, why) => {
    const now = clock();
    const before = kinds.get(code) ?? { since: now, lines: 0, leftOut: 0 };
    const told = now - before.since < MINUTE ? before : { since: now, lines: 0, leftOut: before.leftOut };
    if (told.lines >= LINES) {
      kinds.set(code, { ...told, leftOut: told.leftOut + 1 });
      return;
    }
    kinds.set(code, { ...told, lines: told.lines + 1, leftOut: 0 });
    log.warn({ code, node, why, ...(told.leftOut > 0 && { leftOut: told.leftOut }) }, "intake: a message was refused");
  };
}
