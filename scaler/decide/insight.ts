import type { PolicySpec } from "../policy/schema.ts";
import { spentOf } from "./caution.ts";
import { prefillVelocity, type Prediction, type Situation } from "./predict.ts";
import { decodeVelocity, modelErrors } from "./situation.ts";
import type { FulcrumState, Insight } from "./state.ts";

/** What this tick believed, for metrics and the page. */
export function insightOf(state: FulcrumState, s: Situation, here: Prediction, spec: PolicySpec): Insight {
  const bounded = (x: number): number => (Number.isFinite(x) ? x : 1e9);
  return {
    velocity: { prefill: prefillVelocity(s), decode: decodeVelocity(s, spec.objectives.itl?.target ?? Infinity) },
    utilization: { prefill: bounded(here.rho.prefill), decode: bounded(here.rho.decode) },
    modelError: modelErrors(state.learned),
    leadTime: { prefill: state.learned.lead.prefill.value, decode: state.learned.lead.decode.value },
    drainTime: { prefill: state.learned.drain.prefill.value, decode: state.learned.drain.decode.value },
    trim: { prefill: state.trim.prefill.factor, decode: state.trim.decode.factor },
    budgetSpent: spentOf(state, spec),
    demand: { arrivals: s.demand.arrivals, prefillTokens: s.demand.prefillTokens, decodeTokens: s.demand.decodeTokens },
  };
}
