import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import { overrideText, restraint, type ModeOverride } from "../../core/override.ts";
import type { Policy } from "../policy/schema.ts";
import type { Controller, StageProbe } from "./controller.types.ts";

/** The policy as it is to be carried out: under an override it does less, never more. */
export function lowered(policy: Policy, override: ModeOverride | undefined): Policy {
  if (override === undefined || restraint(override.mode) <= restraint(policy.spec.mode)) return policy;
  return { ...policy, spec: { ...policy.spec, mode: override.mode } };
}

export interface Overridden<State> {
  readonly state: State;
  readonly observation: Observation;
  readonly policy: Policy;
  readonly override: ModeOverride | undefined;
}

/** A tick of the controller under an operator's override, which the decision names. The loop and the replay both decide through it. */
export function tickOverridden<State>(
  controller: Controller<State>,
  { state, observation, policy, override }: Overridden<State>,
  probe?: StageProbe,
): { readonly state: State; readonly decision: Decision } {
  const under = lowered(policy, override);
  const next = controller.tick(state, observation, under, probe);
  if (override === undefined || under === policy) return next;
  const { reasons } = next.decision;
  const said = { code: override.mode, text: overrideText(override) };
  return { state: next.state, decision: { ...next.decision, reasons: [...reasons.filter(({ code }) => code !== override.mode), said] } };
}
