import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { Action, ActResult, Progress } from "../act/actuator.ts";
import type { Prior } from "../decide/controller.types.ts";
import type { Policy } from "../policy/schema.ts";

/**
 * What the journal holds, one JSON object a line. A `start` gives all that is needed to decide again; every file of a journal
 * begins with one per policy, so each file replays alone.
 */
export type JournalRecord = StartRecord | TickRecord;

export interface StartRecord {
  readonly kind: "start";
  readonly at: number;
  readonly version: string;
  readonly controller: string;
  /** `namespace/name`, the key that ticks refer to. */
  readonly name: string;
  readonly policy: Policy;
  readonly prior: Prior;
  /** The controller's state before the first tick. */
  readonly state: unknown;
}

export interface TickRecord {
  readonly kind: "tick";
  readonly at: number;
  readonly name: string;
  readonly observation: Observation;
  readonly decision: Decision;
  /** Digest of the controller's state after this tick. */
  readonly stateDigest: string;
  readonly outcome: ActResult["outcome"];
  readonly actions: readonly Action[];
  /** What has become of replicas that were asked for before. */
  readonly progress?: readonly Progress[];
  readonly error?: string;
}

export const policyName = (policy: Policy): string => `${policy.metadata.namespace}/${policy.metadata.name}`;
