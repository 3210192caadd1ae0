import type { Action } from "../act/actuator.ts";
import type { PoolRole } from "./tick-view.ts";

/** Last change of each pool's replicas. */
export type Turns = Readonly<Partial<Record<PoolRole, { readonly at: number; readonly direction: 1 | -1 }>>>;

/** A change of direction of the same pool within this many seconds is a reversal (docs and back-test count alike). */
export const REVERSAL_WINDOW = 120;

export function noteTurns(
  turns: Turns,
  actions: readonly Action[],
  at: number,
): { readonly turns: Turns; readonly reversals: readonly PoolRole[] } {
  const next: { -readonly [R in PoolRole]?: { readonly at: number; readonly direction: 1 | -1 } } = { ...turns };
  const reversals: PoolRole[] = [];
  for (const action of actions.filter((a) => a.kind === "replicas")) {
    const direction = action.to > (action.from ?? 0) ? 1 : -1;
    const last = next[action.role];
    if (last !== undefined && last.direction !== direction && at - last.at <= REVERSAL_WINDOW) reversals.push(action.role);
    next[action.role] = { at, direction };
  }
  return { turns: next, reversals };
}
