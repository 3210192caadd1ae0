import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "./api.ts";
import { scaleSchema } from "./objects.ts";
import { FIELD_MANAGER, targetName, type Count, type KubeTarget } from "./target.ts";
import { read } from "./transport.ts";

/** A count through the scale subresource. */
export async function readScale(api: KubeApi, target: KubeTarget, signal: AbortSignal): Promise<Result<Count, string>> {
  const { resource, namespace, name } = target;
  const path = `${resource.root}/namespaces/${namespace}/${resource.plural}/${name}/scale`;
  const answer = await read(api, { path }, signal);
  if (!answer.ok) return err(answer.error.status === 404 ? `there is no ${targetName(target)}` : answer.error.message);
  const parsed = scaleSchema.safeParse(answer.value);
  if (!parsed.success) return err(`${targetName(target)}: its scale is not one: ${parsed.error.issues[0]?.message ?? ""}`);
  const { spec, status, metadata } = parsed.data;
  return ok({
    replicas: spec.replicas,
    selector: status.selector === "" ? undefined : status.selector,
    write: (to) => ({
      method: "PATCH",
      path,
      query: { fieldManager: FIELD_MANAGER },
      contentType: "application/merge-patch+json",
      body: { metadata: { resourceVersion: metadata.resourceVersion }, spec: { replicas: to } },
    }),
  });
}
