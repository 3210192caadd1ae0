import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { DecodeModel, PrefillModel, TransferModel } from "../../core/latency-model.ts";
import type { Bytes, Tokens } from "../../core/units.ts";
import type { Policy } from "../policy/schema.ts";

/** What is believed of one replica of each role before anything was observed. */
export interface Prior {
  readonly name: string;
  readonly prefill: PrefillModel;
  readonly decode: DecodeModel;
  readonly transfer: TransferModel;
  readonly kvBytesPerToken: Bytes;
  readonly kvCapacityTokens: Tokens;
}

/**
 * The one door through which production, `plan`, `replay` and the back-test decide. `State` is plain JSON:
 * it can be journalled, checkpointed and digested. Baselines implement the same door.
 */
export interface Controller<State> {
  readonly name: string;
  start(policy: Policy, prior: Prior, at: number): State;
  tick(state: State, observation: Observation, policy: Policy, probe?: StageProbe): { readonly state: State; readonly decision: Decision };
}

/** Watches the stages of a tick (for traces and durations). It returns what `run` returns: no decision depends on it. */
export type StageProbe = <T>(stage: "learn" | "decide" | "guard", run: () => T) => T;
