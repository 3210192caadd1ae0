import type { Health } from "./scrape/health.ts";

/**
 * What an agent still waits for. Ready means: it knows its targets and has tried each of them once. Not that they answer,
 * nor that the scaler does: taking an agent out because others are down would only hide them.
 */
export function createReadiness(
  targets: () => readonly { readonly name: string; readonly health: Health }[],
  sources: () => readonly { health(): Health }[],
): () => readonly string[] {
  let roundDone = false;
  return () => {
    const unread = targets().flatMap(({ name, health }) => {
      if (health.state === "unknown") return [`${name}: not read yet`];
      return health.state === "down" && health.lastGood === undefined ? [`${name}: ${health.error}`] : [];
    });
    if (unread.length > 0) return unread;
    const all = sources();
    const untried = all.filter((s) => s.health().state === "unknown").length;
    roundDone ||= untried === 0;
    return roundDone ? [] : [`the first scrape round: ${untried} of ${all.length} targets not tried yet`];
  };
}
