import type { Reason } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { PolicySpec } from "../policy/schema.ts";
import { decodeBatch, prefillBudget } from "./batch.ts";
import type { Demand } from "./demand.ts";
import { predict, type Plan, type Situation } from "./predict.ts";
import type { Targets } from "./search.ts";

/** Share of a batch limit from which on running sequences make it matter. */
const BINDING = 0.6;
/** Relative change below which a batch limit is left alone. Prefill hardly feels a third more or less (reference: prefill batch study). */
const LIMIT_BAND = { maxBatchedTokens: 0.35, maxNumSeqs: 0.15 };

export interface LimitsInput {
  readonly o: Observation;
  readonly spec: PolicySpec;
  readonly situation: Situation;
  readonly plan: Plan;
  readonly proposal: { readonly targets: Targets };
  /** The heaviest demand of the stabilization window. */
  readonly worst: Demand;
}

/**
 * Batch limits for the chosen plan; small changes are not made, and each that is made says so. Prefill's follows the load at the
 * heaviest demand of the window: it grows at once and shrinks when the window has passed, for a limit that follows every prompt is
 * changed at every prompt. Decode's follows the ITL target that can be met: a batch pressed small for one that cannot only makes a queue.
 */
export function recommendedLimits(c: LimitsInput): { maxBatchedTokens: number; maxNumSeqs: number; reasons: Reason[] } {
  const { situation, spec, o } = c;
  const heavy = predict(c.plan, { ...situation, demand: c.worst, headroom: 0 });
  const { prefill, decode } = spec.pools;
  const range = decode.batch.maxNumSeqs;
  const best = Math.floor(
    decodeBatch(situation.models.decode, c.proposal.targets.itl, situation.demand.lengths.context, situation.models.kvCapacity),
  );
  const wanted = {
    maxBatchedTokens: prefillBudget(situation.models.prefill, heavy.rho.prefill, prefill.batch.maxBatchedTokens),
    maxNumSeqs: Math.min(range.max, Math.max(range.min, best, roomier(o, spec))),
  };
  const { running, replicas } = o.pools.decode ?? {};
  const busy = (running?.requests ?? Infinity) / Math.max(1, replicas?.ready ?? 1);
  const limitNow = o.pools.decode?.limits?.maxNumSeqs;
  // A lower limit protects nothing while few sequences run, and stands in the way when the traffic turns.
  if (limitNow !== undefined && wanted.maxNumSeqs < limitNow && busy < BINDING * wanted.maxNumSeqs) wanted.maxNumSeqs = limitNow;
  const reasons: Reason[] = [];
  const settle = (name: string, want: number, now: number | undefined, band: number): number => {
    if (now === undefined || Math.abs(want - now) <= band * now) return now ?? want;
    reasons.push({ code: "batch-limit", text: `${name} ${now} → ${want}`, numbers: { now, wanted: want } });
    return want;
  };
  return {
    maxBatchedTokens: settle(
      "max batched tokens",
      wanted.maxBatchedTokens,
      o.pools.prefill?.limits?.maxBatchedTokens,
      LIMIT_BAND.maxBatchedTokens,
    ),
    maxNumSeqs: settle("max sequences", wanted.maxNumSeqs, o.pools.decode?.limits?.maxNumSeqs, LIMIT_BAND.maxNumSeqs),
    reasons,
  };
}

/** Delivered ITL below this share of the target while requests wait for a slot: the limit is too tight, whatever the model says. */
const EASY_ITL = 0.8;

function roomier(o: Observation, spec: PolicySpec): number {
  const { queue, limits, interval } = o.pools.decode ?? {};
  const target = spec.objectives.itl?.target ?? Infinity;
  const tight = (queue?.requests ?? 0) > 0 && interval?.itl !== undefined && interval.itl.p95 < EASY_ITL * target;
  return tight ? Math.ceil((limits?.maxNumSeqs ?? 0) * 1.25) : 0;
}
