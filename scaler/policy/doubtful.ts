import { formatDuration } from "./durations.ts";
import type { Policy } from "./schema.ts";

/** Nobody waits so long (seconds) for a first token, or between two: milliseconds were meant. */
const LONGEST = { ttft: 60, itl: 5 };

/** What is valid but hardly meant, a sentence each: a bare number is seconds, and `target: 500` is over eight minutes. */
export function doubtful(policy: Policy): readonly string[] {
  const { objectives } = policy.spec;
  return (["ttft", "itl"] as const).flatMap((name) => {
    const target = objectives[name]?.target;
    if (target === undefined || target <= LONGEST[name]) return [];
    const meant = Number.isInteger(target) ? `; write ${target}ms if milliseconds are meant (a bare number is seconds)` : "";
    const length = formatDuration(target);
    const read = typeof length === "string" ? length : `${length}s`;
    return [`spec.objectives.${name}.target is ${read}, which nearly any plan meets${meant}`];
  });
}
