import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "./api.ts";
import type { Pod } from "./objects.ts";
import { FIELD_MANAGER, type KubeTarget } from "./target.ts";

/** Read by the ReplicaSet controller: of pods that are equally ready the one with the lowest cost goes first; absent = 0. */
const COST_KEY = "controller.kubernetes.io/pod-deletion-cost";
/** Says that the cost is ours to clear. */
const MARK_KEY = "fulcrum.dev/victim";

/** Only a Deployment's ReplicaSet asks for costs; a StatefulSet removes its highest ordinal, groups their highest index. */
export const choosesByCost = ({ resource, part }: KubeTarget): boolean =>
  part === undefined && resource.group === "apps" && resource.kind === "Deployment";

/** Pods whose cost a user has set keep it: who goes is then the user's choice. */
export const isMarkable = ({ metadata: { annotations, deletionTimestamp } }: Pod): boolean =>
  deletionTimestamp === undefined && (annotations?.[COST_KEY] === undefined || annotations[MARK_KEY] !== undefined);

/** Marked pods that live on though everything that was to go has gone. */
export function leftMarked(pods: readonly Pod[], desired: number): readonly string[] {
  const living = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  if (living.length > desired) return [];
  return living.filter((pod) => pod.metadata.annotations?.[MARK_KEY] !== undefined).map((pod) => pod.metadata.name);
}

/** First to go gets the lowest cost. */
export async function markVictims(
  api: KubeApi,
  namespace: string,
  pods: readonly string[],
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  for (const [index, pod] of pods.entries()) {
    const done = await annotate(api, namespace, pod, { [COST_KEY]: String(index - pods.length), [MARK_KEY]: "true" }, signal);
    if (!done.ok) return done;
  }
  return ok(undefined);
}

export async function clearMarks(
  api: KubeApi,
  namespace: string,
  pods: readonly string[],
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  for (const pod of pods) {
    const done = await annotate(api, namespace, pod, { [COST_KEY]: null, [MARK_KEY]: null }, signal);
    if (!done.ok) return done;
  }
  return ok(undefined);
}

async function annotate(
  api: KubeApi,
  namespace: string,
  pod: string,
  annotations: Readonly<Record<string, string | null>>,
  signal: AbortSignal,
): Promise<Result<undefined, string>> {
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}`;
  const body = { metadata: { annotations } };
  const contentType = "application/merge-patch+json" as const;
  const answer = await api.call({ method: "PATCH", path, query: { fieldManager: FIELD_MANAGER }, contentType, body }, signal);
  // A pod that is gone needs no mark.
  return answer.ok || answer.error.status === 404 ? ok(undefined) : err(answer.error.message);
}
