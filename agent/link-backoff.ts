/** First retry after at most 0.2 s: a scaler that restarts is back within seconds and its view is stale until then. */
const FIRST = 0.2;
/** A scaler that is away for long costs one connection attempt per node every 5 s. */
const LAST = 5;

/**
 * Seconds to wait before attempt number `failures` (1 = after the first failure). Half fixed, half random: all agents
 * lose a restarting scaler at the same moment and must not come back at the same moment. `random` is in [0, 1).
 */
export function backoff(failures: number, random: number): number {
  const ceiling = Math.min(LAST, FIRST * 2 ** Math.max(0, failures - 1));
  return ceiling * (0.5 + random / 2);
}
