import type { Decision } from "../../core/decision.ts";
import type { Policy } from "../policy/schema.ts";
import type { ActResult, ClusterFacts } from "./actuator.ts";

/** The outcome of a decision that is not to be carried out; undefined = it is. */
export function notActing(policy: Policy, decision: Decision): ActResult | undefined {
  if (policy.spec.mode === "observe") return { outcome: "observe", actions: [] };
  if (policy.spec.mode === "paused" || decision.hold) return { outcome: "held", actions: [] };
  return undefined;
}

/** Somebody else scaled between looking and acting: what was decided is about another fleet. The next tick sees the new one. */
export function movedOn(seen: ClusterFacts, now: ClusterFacts): string | undefined {
  const moved = (["prefill", "decode"] as const).find((role) => seen[role].desired !== now[role].desired);
  if (moved === undefined) return undefined;
  return `${moved} pool ${now[moved].name}: desired replicas went from ${seen[moved].desired} to ${now[moved].desired} since it was observed; deciding anew`;
}
