import { fulcrum, resume } from "../decide/controller.ts";
import type { Controller } from "../decide/controller.types.ts";
import type { FulcrumState, Insight } from "../decide/state.ts";
import type { Policy } from "../policy/schema.ts";

/** A controller with what the loop needs around it. Tests bring their own. */
export interface ControllerKit<State> {
  readonly controller: Controller<State>;
  /** Goes on from a kept state after a restart or an edit: what was learned stays, the guards of a start apply. */
  resume(state: State, policy: Policy, at: number): State;
  insight(state: State): Insight | null;
}

export const fulcrumKit: ControllerKit<FulcrumState> = { controller: fulcrum, resume, insight: (state) => state.insight };
