import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "./api.ts";
import type { KubeResource } from "./discovery.ts";
import { mayBeManaged } from "./kinds.ts";
import { autoscalerListSchema, ownedSchema } from "./objects.ts";
import { read } from "./transport.ts";

/** Kinds that scale what they point at. */
const AUTOSCALERS = [
  { kind: "HorizontalPodAutoscaler", root: "/apis/autoscaling/v2", plural: "horizontalpodautoscalers" },
  { kind: "ScaledObject", root: "/apis/keda.sh/v1alpha1", plural: "scaledobjects" },
] as const;

export interface KubeTarget {
  readonly resource: KubeResource;
  readonly namespace: string;
  readonly name: string;
}

/** Who else scales a target, as a reason not to; undefined = nobody. What cannot be seen cannot be ruled out: then it is an error. */
export async function rival(api: KubeApi, target: KubeTarget, signal: AbortSignal): Promise<Result<string | undefined, string>> {
  const { resource, namespace, name } = target;
  for (const { kind, root, plural } of AUTOSCALERS) {
    const answer = await read(api, { path: `${root}/namespaces/${namespace}/${plural}` }, signal);
    if (!answer.ok) {
      // Not installed.
      if (answer.error.status === 404) continue;
      return err(`cannot tell whether a ${kind} scales ${resource.kind} ${name} too: ${answer.error.message}`);
    }
    const parsed = autoscalerListSchema.safeParse(answer.value);
    if (!parsed.success) return err(`GET ${root}/namespaces/${namespace}/${plural}: not a list of ${kind}s`);
    const found = parsed.data.items.find((item) => pointsAt(item.spec.scaleTargetRef, target));
    if (found !== undefined) {
      return ok(
        `${kind} ${namespace}/${found.metadata.name} scales ${resource.kind} ${name}: two would fight over it. Remove it, or set this policy's mode to observe and let it act on Fulcrum's metrics`,
      );
    }
  }
  return managed(api, target, signal);
}

/** A ScaledObject may leave out kind and group: it then means a Deployment. */
function pointsAt(
  ref: { readonly apiVersion?: string | undefined; readonly kind?: string | undefined; readonly name: string },
  { resource, name }: KubeTarget,
): boolean {
  const group = (ref.apiVersion ?? "apps/v1").split("/", 1)[0] ?? "";
  return ref.name === name && (ref.kind ?? "Deployment") === resource.kind && group === resource.group;
}

async function managed(
  api: KubeApi,
  { resource, namespace, name }: KubeTarget,
  signal: AbortSignal,
): Promise<Result<string | undefined, string>> {
  if (!mayBeManaged(resource.group, resource.kind)) return ok(undefined);
  const answer = await read(api, { path: `${resource.root}/namespaces/${namespace}/${resource.plural}/${name}` }, signal);
  if (!answer.ok) return err(answer.error.message);
  const parsed = ownedSchema.safeParse(answer.value);
  const owner = parsed.success ? parsed.data.metadata.ownerReferences?.find((o) => o.controller === true) : undefined;
  if (owner === undefined) return ok(undefined);
  return ok(
    `${resource.kind} ${name} is managed by ${owner.kind} ${owner.name}, which would undo the change; name its scaling adapter as the target`,
  );
}
