/** [seconds, prefill replicas, decode replicas]: ready and starting ones, i.e. paid for. */
export type TimelineRow = readonly [number, number, number];

export interface Actions {
  readonly up: number;
  readonly down: number;
  /** Both pools moved in opposite directions at once: GPUs changed role. */
  readonly conversions: number;
  /** A pool changed direction within REVERSAL_SECONDS of its last move. */
  readonly reversals: number;
}

const REVERSAL_SECONDS = 120;

/** Counts what a timeline's changes were. Each pool's change is one action; a conversion is also its up and its down. */
export function countActions(timeline: readonly TimelineRow[]): Actions {
  let up = 0;
  let down = 0;
  let conversions = 0;
  let reversals = 0;
  const last: { at: number; direction: number }[] = [
    { at: -Infinity, direction: 0 },
    { at: -Infinity, direction: 0 },
  ];
  for (let index = 1; index < timeline.length; index += 1) {
    const [at = 0, prefill = 0, decode = 0] = timeline[index] ?? [];
    const [, prefillBefore = 0, decodeBefore = 0] = timeline[index - 1] ?? [];
    const moves = [Math.sign(prefill - prefillBefore), Math.sign(decode - decodeBefore)];
    if ((moves[0] ?? 0) * (moves[1] ?? 0) < 0) conversions += 1;
    moves.forEach((direction, pool) => {
      if (direction === 0) return;
      if (direction > 0) up += 1;
      else down += 1;
      const before = last[pool];
      if (before !== undefined && before.direction === -direction && at - before.at <= REVERSAL_SECONDS) reversals += 1;
      last[pool] = { at, direction };
    });
  }
  return { up, down, conversions, reversals };
}
