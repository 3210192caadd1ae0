import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "./api.ts";
import { mayBeManaged } from "./kinds.ts";
import { namedListSchema, ownedSchema, scalingRefsIn, type ScalingRef } from "./objects.ts";
import type { KubeTarget } from "./target.ts";
import { read } from "./transport.ts";

/** Kinds that scale what they point at, and what they mean where they leave out group and kind. */
const AUTOSCALERS = [
  { kind: "HorizontalPodAutoscaler", root: "/apis/autoscaling/v2", plural: "horizontalpodautoscalers", means: "apps/Deployment" },
  { kind: "ScaledObject", root: "/apis/keda.sh/v1alpha1", plural: "scaledobjects", means: "apps/Deployment" },
  { kind: "PodAutoscaler", root: "/apis/autoscaling.aibrix.ai/v1alpha1", plural: "podautoscalers", means: "apps/Deployment" },
  {
    ...{ kind: "AutoscalingPolicyBinding", root: "/apis/workload.serving.volcano.sh/v1alpha1", plural: "autoscalingpolicybindings" },
    means: "workload.serving.volcano.sh/ModelServing",
  },
] as const;

/** Who else scales a target, as a reason not to; undefined = nobody. What cannot be seen cannot be ruled out: then it is an error. */
export async function rival(api: KubeApi, target: KubeTarget, signal: AbortSignal): Promise<Result<string | undefined, string>> {
  const { resource, namespace, name } = target;
  for (const { kind, root, plural, means } of AUTOSCALERS) {
    const answer = await read(api, { path: `${root}/namespaces/${namespace}/${plural}` }, signal);
    if (!answer.ok) {
      // Not installed.
      if (answer.error.status === 404) continue;
      return err(`cannot tell whether a ${kind} scales ${resource.kind} ${name} too: ${answer.error.message}`);
    }
    const parsed = namedListSchema.safeParse(answer.value);
    if (!parsed.success) return err(`GET ${root}/namespaces/${namespace}/${plural}: not a list of ${kind}s`);
    const found = parsed.data.items.find(({ spec }) => scalingRefsIn(spec).some((ref) => pointsAt(ref, target, means)));
    if (found !== undefined) {
      return ok(
        `${kind} ${namespace}/${found.metadata.name} scales ${resource.kind} ${name}: two would fight over it. Remove it, or set this policy's mode to observe and let it act on Fulcrum's metrics`,
      );
    }
  }
  return managed(api, target, signal);
}

/** One that names another role of the object leaves ours alone; one that names none scales them all. */
function pointsAt({ apiVersion, kind, name, role }: ScalingRef, target: KubeTarget, means: string): boolean {
  const [group = "", usual = ""] = means.split("/");
  const { resource, part } = target;
  if (name !== target.name || (kind ?? usual) !== resource.kind) return false;
  if ((apiVersion === undefined ? group : (apiVersion.split("/", 1)[0] ?? "")) !== resource.group) return false;
  return part === undefined || role === undefined || role === part.role;
}

async function managed(
  api: KubeApi,
  { resource, namespace, name, part }: KubeTarget,
  signal: AbortSignal,
): Promise<Result<string | undefined, string>> {
  if (part === undefined && !mayBeManaged(resource.group, resource.kind)) return ok(undefined);
  const answer = await read(api, { path: `${resource.root}/namespaces/${namespace}/${resource.plural}/${name}` }, signal);
  if (!answer.ok) return err(answer.error.message);
  const parsed = ownedSchema.safeParse(answer.value);
  const owner = parsed.success ? parsed.data.metadata.ownerReferences?.find((o) => o.controller === true) : undefined;
  if (owner === undefined) return ok(undefined);
  const instead = part === undefined ? "its scaling adapter" : owner.kind;
  return ok(
    `${resource.kind} ${name} is managed by ${owner.kind} ${owner.name}, which would undo the change; name ${instead} as the target`,
  );
}
