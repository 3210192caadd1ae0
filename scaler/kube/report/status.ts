import { overrideText } from "../../../core/override.ts";
import type { Summary } from "../../../core/summary.ts";
import type { Judged } from "../../loop/follow-policies.ts";
import { desiredReplicas, POOL_ROLES, type TickView } from "../../loop/tick-view.ts";
import type { Policy } from "../../policy/schema.ts";

/** The status of a ScalingPolicy object, as deploy/base/crd has it. What was not seen is left out. */
export interface PolicyStatus {
  readonly observedGeneration: number;
  readonly mode?: Policy["spec"]["mode"];
  readonly conditions: readonly Condition[];
  readonly ttft?: string;
  readonly itl?: string;
  readonly prefill?: PoolStatus;
  readonly decode?: PoolStatus;
  readonly lastDecision?: { readonly at: string; readonly reason: string; readonly message: string; readonly hold: boolean };
}

export interface PoolStatus {
  readonly desired?: number;
  readonly ready?: number;
}

export interface Condition {
  readonly type: "Ready" | "EvidenceFresh" | "Acting";
  readonly status: "True" | "False" | "Unknown";
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

type Found = Pick<Condition, "status" | "reason" | "message">;

/** Lengths that the custom resource allows. */
const MAX_CONDITION = 4096;
const MAX_MESSAGE = 4096;

/** `view` is the last tick under exactly this spec, if there was one; `before` what the object says now; `at` seconds since 1970. */
export function statusOf({ object, verdict }: Judged, view: TickView | undefined, before: unknown, at: number): PolicyStatus {
  const { generation } = object;
  const condition = (type: Condition["type"], found: Found): Condition => ({
    type,
    status: found.status,
    observedGeneration: generation,
    lastTransitionTime: since(before, type, found.status) ?? timestamp(at),
    reason: found.reason,
    message: found.message.slice(0, MAX_CONDITION),
  });
  const conditions = (ready: Found, fresh: Found, acting: Found): readonly Condition[] => [
    condition("Ready", ready),
    condition("EvidenceFresh", fresh),
    condition("Acting", acting),
  ];
  if (verdict.kind !== "in use") {
    const reason = verdict.kind === "conflict" ? "Conflict" : "Invalid";
    const not: Found = { status: "False", reason, message: verdict.message };
    const unseen: Found = { status: "Unknown", reason, message: "the policy is not in use" };
    return { observedGeneration: generation, conditions: conditions(not, unseen, { ...not, message: unseen.message }) };
  }
  const mode = object.policy.ok ? { mode: object.policy.value.spec.mode } : {};
  if (view === undefined) {
    const starting: Found = { status: "Unknown", reason: "Starting", message: "nothing has been decided yet" };
    return { observedGeneration: generation, ...mode, conditions: conditions(starting, starting, starting) };
  }
  const carried = view.override === undefined ? mode : { mode: view.override.mode };
  return { observedGeneration: generation, ...carried, conditions: conditions(ready(view), fresh(view), acting(view)), ...figures(view) };
}

function ready({ facts, result }: TickView): Found {
  const [warning] = facts?.warnings ?? [];
  if (warning !== undefined) return { status: "True", reason: "Warning", message: warning };
  if (facts !== undefined) return { status: "True", reason: "Valid", message: "the policy is valid and its targets are seen" };
  return { status: "False", reason: "TargetsNotSeen", message: result.error ?? "the targets are not seen" };
}

function fresh({ decision }: TickView): Found {
  const said = (code: string) => decision.reasons.find((reason) => reason.code === code);
  const none = said("insufficient-evidence");
  if (none !== undefined) return { status: "False", reason: "InsufficientEvidence", message: none.text };
  const some = said("partial-evidence");
  if (some !== undefined) return { status: "True", reason: "PartialEvidence", message: some.text };
  return { status: "True", reason: "Fresh", message: "reports are fresh" };
}

function acting({ policy, override, result }: TickView): Found {
  if (override !== undefined)
    return { status: "False", reason: override.mode === "paused" ? "Paused" : "Observe", message: overrideText(override) };
  const { mode } = policy.spec;
  if (mode === "observe") return { status: "False", reason: "Observe", message: "mode is observe: decisions are shown, not applied" };
  if (mode === "paused") return { status: "False", reason: "Paused", message: "mode is paused: the pools are left as they are" };
  if (result.outcome === "failed")
    return { status: "False", reason: "Failed", message: result.error ?? "the last decision was not applied" };
  return { status: "True", reason: "Enforcing", message: result.error ?? "decisions are applied" };
}

function figures(view: TickView): Partial<PolicyStatus> {
  const { observation, decision, policy } = view;
  const { ttft, itl } = policy.spec.objectives;
  const [reason] = decision.reasons;
  const pools = POOL_ROLES.map((role) => {
    const [desired, seen] = [desiredReplicas(view, role), observation.pools[role]?.replicas?.ready];
    const pool = { ...(desired === undefined ? {} : { desired }), ...(seen === undefined ? {} : { ready: seen }) };
    return Object.keys(pool).length === 0 ? {} : { [role]: pool };
  });
  return {
    ...latency("ttft", observation.pools.prefill?.interval?.ttft, ttft?.quantile),
    ...latency("itl", observation.pools.decode?.interval?.itl, itl?.quantile),
    ...Object.assign({}, ...pools),
    ...(reason === undefined
      ? {}
      : {
          lastDecision: {
            at: timestamp(view.at),
            reason: reason.code,
            message: decision.reasons
              .map((r) => r.text)
              .join("; ")
              .slice(0, MAX_MESSAGE),
            hold: decision.hold,
          },
        }),
  };
}

/** At the objective's quantile, or the next above it of those that are kept. */
function latency(name: "ttft" | "itl", summary: Summary | undefined, quantile: number | undefined): Partial<PolicyStatus> {
  if (summary === undefined || quantile === undefined) return {};
  const value = quantile <= 0.5 ? summary.p50 : quantile <= 0.9 ? summary.p90 : quantile <= 0.95 ? summary.p95 : summary.p99;
  return Number.isFinite(value) ? { [name]: inUnits(value) } : {};
}

/** Three digits: more would only be noise that is written to the API server. */
const inUnits = (seconds: number): string =>
  seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))}ms` : `${Number(seconds.toPrecision(3))}s`;

/** As metav1.Time has it: whole seconds. */
export const timestamp = (at: number): string => new Date(Math.floor(at) * 1000).toISOString().replace(".000Z", "Z");

/** When a condition last became what it is: kept while its status stays. */
function since(status: unknown, type: string, now: string): string | undefined {
  const conditions = (status as { conditions?: unknown } | null | undefined)?.conditions;
  if (!Array.isArray(conditions)) return undefined;
  const kept = (conditions as readonly { type?: unknown; status?: unknown; lastTransitionTime?: unknown }[]).find((c) => c.type === type);
  return kept?.status === now && typeof kept.lastTransitionTime === "string" ? kept.lastTransitionTime : undefined;
}
