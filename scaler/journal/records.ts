import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { ModeOverride } from "../../core/override.ts";
import type { Action, ActResult, Progress } from "../act/actuator.ts";
import type { Prior } from "../decide/controller.types.ts";
import type { Policy } from "../policy/schema.ts";

/**
 * What the journal holds, one JSON object a line. A `start` gives all that is needed to decide again; every file of a journal
 * begins with one per policy, so each file replays alone.
 */
export type JournalRecord = StartRecord | TickRecord | OverrideRecord;

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
  /** Under which it was decided. */
  readonly override?: ModeOverride;
  /** Digest of the controller's state after this tick. */
  readonly stateDigest: string;
  readonly outcome: ActResult["outcome"];
  readonly actions: readonly Action[];
  /** What has become of replicas that were asked for before. */
  readonly progress?: readonly Progress[];
  readonly error?: string;
}

/** What an operator said about a policy's mode, or about that of all (`name` is `*`), and when it ended. */
export interface OverrideRecord {
  readonly kind: "override";
  readonly at: number;
  readonly name: string;
  /** null = the policy's own mode holds again. */
  readonly mode: ModeOverride["mode"] | null;
  /** Undefined where nobody said so: its time was over. */
  readonly by?: string;
  readonly reason?: string;
  readonly until?: number;
  readonly expired?: true;
}

export const policyName = (policy: Policy): string => `${policy.metadata.namespace}/${policy.metadata.name}`;
