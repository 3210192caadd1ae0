import { attainedShare } from "../../core/attainment.ts";
import type { Observation } from "../../core/observation.ts";
import { ease, spend, spent, type Ease, type ErrorBudget } from "../learn/error-budget.ts";
import type { PolicySpec } from "../policy/schema.ts";
import type { FulcrumState } from "./state.ts";

const JUDGED = { prefill: "ttft", decode: "itl" } as const;

/** Prefill eases by what is left of TTFT's error budget, decode by ITL's. */
export function easeOf(s: FulcrumState, spec: PolicySpec): Ease {
  const { prefill, decode } = spentOf(s, spec);
  return { prefill: ease(prefill), decode: ease(decode) };
}

/** Share of each error budget that is spent; a latency without an objective has none to save with. */
export function spentOf(s: Pick<FulcrumState, "errorBudgets">, spec: PolicySpec): { readonly prefill: number; readonly decode: number } {
  const of = (role: "prefill" | "decode"): number => {
    const objective = spec.objectives[JUDGED[role]];
    return objective === undefined ? 1 : spent(s.errorBudgets[role], objective.quantile);
  };
  return { prefill: of("prefill"), decode: of("decode") };
}

/** Every request counts, whatever it missed for: what users got is what caution is for. An interval without samples is no good one. */
export function errorBudgets(s: FulcrumState, o: Observation, spec: PolicySpec): FulcrumState["errorBudgets"] {
  const one = (role: "prefill" | "decode"): ErrorBudget => {
    const target = spec.objectives[JUDGED[role]];
    const seen = role === "prefill" ? o.pools.prefill?.interval?.ttft : o.pools.decode?.interval?.itl;
    const span = o.pools[role]?.interval?.seconds;
    const attained = target === undefined || seen === undefined ? undefined : attainedShare(seen, target.target);
    if (seen === undefined || attained === undefined || span === undefined) return s.errorBudgets[role];
    return spend(s.errorBudgets[role], { span, count: seen.count, attained, counted: seen.within !== undefined });
  };
  return { prefill: one("prefill"), decode: one("decode") };
}
