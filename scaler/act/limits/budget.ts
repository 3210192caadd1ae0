/** A rollout restarts every engine of a pool: at most one in this many seconds for both pools of a policy. */
const WINDOW = 3600;
/** Share by which a limit must be off before its engines are restarted for it. */
const WORTH = 0.25;

/** Whether a limit is far enough from what runs to restart engines for it; undefined = the engine's default runs, which nobody says. */
export const isWorthIt = (from: number | undefined, to: number): boolean => from === undefined || Math.abs(to - from) >= WORTH * from;

export interface RolloutInput {
  /** Seconds since 1970 of the last rollout of either pool; undefined = none. */
  readonly last: number | undefined;
  readonly now: number;
  /** Replicas of both pools that are ready, and wanted. */
  readonly ready: number;
  readonly wanted: number;
}

/** Why a rollout must wait; undefined = it may go. */
export function waits({ last, now, ready, wanted }: RolloutInput): string | undefined {
  if (ready < wanted) return `${wanted - ready} of ${wanted} replicas are not ready, and a rollout would come on top`;
  if (last !== undefined && now - last < WINDOW) return `one rollout in ${WINDOW} s is the budget, and there was one`;
  return undefined;
}
