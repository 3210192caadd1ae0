import type { Decision, Reason } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { PolicySpec } from "../policy/schema.ts";
import type { Assessed } from "./evidence.ts";
import type { Demand } from "./demand.ts";
import { recommendedLimits } from "./limits.ts";
import { predict, type Plan, type Situation } from "./predict.ts";
import { ms, type Proposal } from "./propose.ts";
import { neighbours, type Bounds } from "./search.ts";
import { transferWait } from "./transfer-bound.ts";

/** All that a decision is told from. */
export interface Composed {
  readonly o: Observation;
  readonly spec: PolicySpec;
  readonly plan: Plan;
  readonly current: Plan;
  readonly proposal: Proposal;
  readonly guarded: readonly Reason[];
  readonly situation: Situation;
  /** The heaviest demand of the stabilization window. */
  readonly worst: Demand;
  readonly bounds: Bounds;
  readonly evidence: Assessed;
}

/** The decision with its reasons, predictions and the neighbours that were weighed. */
export function compose(c: Composed): Decision {
  const { plan, current, situation, spec } = c;
  // What users will see: without the headroom that sizing keeps free.
  const expected = predict(plan, { ...situation, headroom: 0 });
  // What already waits for its KV comes before all that a plan would change.
  const held = c.proposal.reasons.some((r) => r.code === "transfer-bound") ? transferWait(c.o) : 0;
  const limits = recommendedLimits(c);
  const reasons: Reason[] = [...c.proposal.reasons, ...c.guarded, ...limits.reasons];
  if (c.evidence.level === "partial") reasons.push({ code: "partial-evidence", text: c.evidence.gaps.join("; ") });
  const changed = plan.prefill !== current.prefill || plan.decode !== current.decode;
  if (reasons.length === 0) {
    const text = `prefill ${plan.prefill} and decode ${plan.decode} are expected to give TTFT ${ms(expected.ttft)} and ITL ${ms(expected.itl)}`;
    reasons.push({ code: "within-range", text });
  }
  if (spec.mode === "paused") reasons.push({ code: "paused", text: "the policy is paused: pools stay as they are" });
  if (spec.mode === "observe") reasons.push({ code: "observe", text: "observe mode: recommended, not applied" });
  const wanted = c.proposal.plan;
  const blocked = wanted.prefill !== current.prefill || wanted.decode !== current.decode;
  const shrinking = plan.prefill < current.prefill ? "prefill" : plan.decode < current.decode ? "decode" : undefined;
  const growing = plan.prefill > current.prefill ? "prefill" : plan.decode > current.decode ? "decode" : undefined;
  const finite = (x: number): x is number => Number.isFinite(x);
  return {
    type: "decision",
    at: c.o.at,
    pools: {
      prefill: { replicas: plan.prefill, limits: { maxBatchedTokens: limits.maxBatchedTokens } },
      decode: { replicas: plan.decode, limits: { maxNumSeqs: limits.maxNumSeqs } },
    },
    moves:
      shrinking !== undefined && growing !== undefined
        ? [{ from: shrinking, to: growing, replicas: Math.min(current[shrinking] - plan[shrinking], plan[growing] - current[growing]) }]
        : [],
    predicted: {
      ...(finite(expected.ttft) ? { ttft: expected.ttft + held } : {}),
      ...(finite(expected.itl) ? { itl: expected.itl } : {}),
    },
    reasons,
    candidates: neighbours(plan, c.bounds, c.proposal.targets, situation),
    hold: !changed && blocked,
  };
}

/** Everything as it is, for one reason. */
export function hold(o: Observation, plan: Plan, reason: Reason): Decision {
  const { prefill, decode } = o.pools;
  return {
    type: "decision",
    at: o.at,
    pools: {
      prefill: {
        replicas: plan.prefill,
        ...(prefill?.limits?.maxBatchedTokens === undefined ? {} : { limits: { maxBatchedTokens: prefill.limits.maxBatchedTokens } }),
      },
      decode: {
        replicas: plan.decode,
        ...(decode?.limits?.maxNumSeqs === undefined ? {} : { limits: { maxNumSeqs: decode.limits.maxNumSeqs } }),
      },
    },
    moves: [],
    predicted: {},
    reasons: [reason],
    hold: true,
  };
}
