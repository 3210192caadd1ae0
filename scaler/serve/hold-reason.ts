import type { Decision, ReasonCode } from "../../core/decision.ts";

/** Holds for want of evidence: what FulcrumScalerHolding watches. */
export const EVIDENCE_HOLDS = ["insufficient-evidence", "partial-evidence"] as const satisfies readonly ReasonCode[];

/** Reasons that keep pools as they are, apart from the demand they answer. */
const HOLDING: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  ...EVIDENCE_HOLDS,
  "objective-missed",
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

/** What held a decision that wanted a change; undefined when it was not held, or when no change was wanted ("within-range"). */
export function holdReason({ hold, reasons }: Decision): ReasonCode | undefined {
  if (!hold) return undefined;
  const code = (reasons.find((reason) => HOLDING.has(reason.code)) ?? reasons[0])?.code;
  return code === "within-range" ? undefined : code;
}
