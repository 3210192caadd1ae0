import type { Decision, ReasonCode } from "../../core/decision.ts";

/** Reasons that keep pools as they are, apart from the demand they answer. */
const HOLDING: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  "insufficient-evidence",
  "partial-evidence",
  "panic-start",
  "min-replicas",
  "max-replicas",
  "budget",
  "step-limit",
  "cooldown",
  "stabilization",
  "dead-band",
  "ratio-bounds",
  "unschedulable",
  "paused",
]);

/** What held a decision that wanted a change; undefined when it was not held. */
export function holdReason({ hold, reasons }: Decision): ReasonCode | undefined {
  if (!hold) return undefined;
  return (reasons.find((reason) => HOLDING.has(reason.code)) ?? reasons[0])?.code ?? "within-range";
}
