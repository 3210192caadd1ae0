import { err, ok, type Result } from "../../../core/result.ts";
import type { Policy } from "../../policy/schema.ts";
import type { PoolRole, TickView } from "../../loop/tick-view.ts";
import type { ScaledObjectRef } from "./messages.ts";

/** gRPC statuses by name: the pure part knows nothing of the library. */
export type Refusal = "INVALID_ARGUMENT" | "NOT_FOUND" | "FAILED_PRECONDITION" | "UNAVAILABLE";

export interface Refused {
  readonly code: Refusal;
  readonly message: string;
}

/** Which pool a trigger asks for. */
export interface Subject {
  /** `namespace/name` of the policy. */
  readonly policy: string;
  readonly role: PoolRole;
}

/** Survives KEDA's renaming (`s0-` before it, no dots or slashes); unique within a ScaledObject that has both roles' triggers. */
export const metricName = (role: PoolRole): string => `fulcrum-${role}-replicas`;

/**
 * The trigger's metadata: `policy` (a name in the ScaledObject's namespace, or `namespace/name`) and `role`. Keys that KEDA
 * itself reads (`scalerAddress`, TLS) come along and are not ours to judge.
 */
export function subjectOf({ name, namespace, metadata }: ScaledObjectRef): Result<Subject, Refused> {
  const policy = metadata.get("policy") ?? "";
  const role = metadata.get("role") ?? "";
  const where = `ScaledObject ${namespace}/${name}`.slice(0, 200);
  if (policy === "")
    return err({ code: "INVALID_ARGUMENT", message: `${where}: the trigger's metadata has no policy; write policy: NAME` });
  if (role !== "prefill" && role !== "decode") {
    return err({
      code: "INVALID_ARGUMENT",
      message: `${where}: the trigger's metadata says role "${role.slice(0, 40)}"; write role: prefill or role: decode`,
    });
  }
  return ok({ policy: policy.includes("/") ? policy : `${namespace}/${policy}`, role });
}

/** What the scaler knows of a policy. */
export interface Known {
  readonly policy: Policy;
  readonly last: TickView | undefined;
}

/** A decision older than this many intervals, and half a minute, speaks for a loop that stands still. */
const MISSED_INTERVALS = 5;

/**
 * Replicas for KEDA, or why there is no answer. Blind is an error, never a number: KEDA's `fallback` then keeps what runs, whereas
 * a zero (or a last value that nobody vouches for) would be acted on.
 */
export function replicasFor({ policy: name, role }: Subject, known: Known | undefined, now: number): Result<number, Refused> {
  if (known === undefined) return err({ code: "NOT_FOUND", message: `no policy ${name.slice(0, 200)} is loaded` });
  const { policy, last } = known;
  if (policy.spec.mode === "enforce") {
    // Two writers of one replica count undo each other.
    return err({
      code: "FAILED_PRECONDITION",
      message: `policy ${name} is in mode enforce: Fulcrum scales its pools itself; set mode: observe to let KEDA act`,
    });
  }
  const blind = (why: string): Result<number, Refused> => err({ code: "UNAVAILABLE", message: `policy ${name}: ${why}` });
  if (last === undefined) return blind("nothing is decided yet");
  const age = now - last.at;
  const limit = MISSED_INTERVALS * policy.spec.behavior.interval + 30;
  if (age > limit) return blind(`the last decision is ${age.toFixed(0)} s old`);
  const { decision, facts } = last;
  const evidence = decision.reasons.find((reason) => reason.code === "insufficient-evidence");
  if (evidence !== undefined) return blind(evidence.text);
  const frozen = decision.hold || policy.spec.mode === "paused";
  if (!frozen) return ok(decision.pools[role].replicas);
  // Held on purpose: the count stays what the cluster was last told.
  return facts === undefined ? blind("held, and the cluster does not say what it was told") : ok(facts[role].desired);
}
