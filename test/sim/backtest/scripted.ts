import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import type { Controller } from "../../../scaler/decide/controller.types.ts";

/** Follows a script of [seconds, prefill, decode] and keeps what it saw. */
export function scripted(
  script: readonly (readonly [number, number, number])[],
  limits?: { maxBatchedTokens: number; maxNumSeqs: number },
) {
  const seen: Observation[] = [];
  const controller: Controller<null> = {
    name: "scripted",
    start: () => null,
    tick(state, observation) {
      seen.push(observation);
      const [, prefill, decode] = script.findLast(([at]) => at <= observation.at) ?? [0, 1, 1];
      const decision: Decision = {
        type: "decision",
        at: observation.at,
        pools: {
          prefill: { replicas: prefill, ...(limits === undefined ? {} : { limits: { maxBatchedTokens: limits.maxBatchedTokens } }) },
          decode: { replicas: decode, ...(limits === undefined ? {} : { limits: { maxNumSeqs: limits.maxNumSeqs } }) },
        },
        moves: [],
        predicted: {},
        reasons: [],
        hold: false,
      };
      return { state, decision };
    },
  };
  return { controller, seen };
}
