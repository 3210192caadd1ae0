import type { Judged } from "../../loop/follow-policies.ts";
import type { TickView } from "../../loop/tick-view.ts";
import type { PolicyObject } from "../../policy/objects.ts";
import type { Occurrence, Regarding } from "./events.ts";

/** What a tick did, as events: one per change. About the policy's object and its target; of a policy from a file about the target alone. */
export function occurrencesOf(view: TickView, about: Regarding | undefined): readonly Occurrence[] {
  const why = view.decision.reasons.map(({ code, text }) => `${code}: ${text}`).join("; ");
  return view.result.actions.flatMap(({ role, pool, kind, from, to }): readonly Occurrence[] => {
    const where = placesOf(view, role, about);
    if (where === undefined) return [];
    const grows = to > (from ?? 0);
    const reason = kind === "limit" ? "LimitSet" : grows ? "ScaledUp" : "ScaledDown";
    const what = kind === "limit" ? "batch limit" : "replicas";
    return [
      {
        ...where,
        type: "Normal",
        reason,
        action: kind === "limit" ? "SetLimit" : "Scale",
        note: `${role} pool ${pool}: ${what} ${from ?? "unknown"} → ${to}. ${why}`,
        key: `${view.name} ${reason} ${role} ${from ?? ""} ${to}`,
      },
    ];
  });
}

/** An action that was wanted and not done. */
export function failureOf(view: TickView, about: Regarding | undefined): readonly Occurrence[] {
  const { result, name } = view;
  if (result.outcome !== "failed") return [];
  const role = result.failedRole ?? "prefill";
  const where = placesOf(view, role, about);
  if (where === undefined) return [];
  const note = result.error ?? "the decision was not applied";
  return [
    { ...where, type: "Warning", reason: "ScaleFailed", action: "Scale", note, key: `${name} ScaleFailed ${result.failedRole ?? ""}` },
  ];
}

/** A policy that came to be out of use, or for another reason than it was. */
export function verdictOf({ object, verdict }: Judged, before: unknown): Occurrence | undefined {
  if (verdict.kind === "in use") return undefined;
  const conditions = (before as { conditions?: readonly { type?: unknown; message?: unknown }[] } | null | undefined)?.conditions;
  const told = Array.isArray(conditions) ? conditions.find(({ type }) => type === "Ready")?.message : undefined;
  if (told === verdict.message) return undefined;
  const reason = verdict.kind === "conflict" ? "PolicyConflict" : "InvalidPolicy";
  const key = `${object.namespace}/${object.name} ${reason} ${verdict.message}`;
  return { regarding: objectRef(object), type: "Warning", reason, action: "Load", note: verdict.message, key };
}

export const objectRef = ({ namespace, name, uid }: PolicyObject): Regarding => ({
  ...{ apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy" },
  ...{ namespace, name, uid },
});

function placesOf(
  { policy }: TickView,
  role: "prefill" | "decode",
  about: Regarding | undefined,
): Pick<Occurrence, "regarding" | "related"> | undefined {
  const target = policy.spec.pools[role].target;
  if (target === undefined) return about === undefined ? undefined : { regarding: about };
  const { apiVersion, kind, name } = target;
  const related: Regarding = { apiVersion, kind, namespace: policy.metadata.namespace, name };
  return about === undefined ? { regarding: related } : { regarding: about, related };
}
