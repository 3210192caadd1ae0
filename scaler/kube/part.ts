import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "./api.ts";
import { versionedSchema } from "./objects.ts";
import { locate, podSelector } from "./parts.ts";
import { FIELD_MANAGER, targetName, type Count, type KubeTarget, type PartRef } from "./target.ts";
import { read } from "./transport.ts";

/**
 * A count that is a field of an object of several roles. It is changed by a JSON patch that replaces this field and nothing else:
 * a merge patch would replace a list of roles whole. Replacing the version by itself makes it a condition: an object that has moved
 * on answers 409.
 */
export async function readPart(api: KubeApi, target: KubeTarget, part: PartRef, signal: AbortSignal): Promise<Result<Count, string>> {
  const { resource, namespace, name } = target;
  const path = `${resource.root}/namespaces/${namespace}/${resource.plural}/${name}`;
  const answer = await read(api, { path }, signal);
  if (!answer.ok) return err(answer.error.status === 404 ? `there is no ${resource.kind} ${namespace}/${name}` : answer.error.message);
  const versioned = versionedSchema.safeParse(answer.value);
  if (!versioned.success) return err(`${targetName(target)}: the object has no version`);
  const located = locate(part.kind, part.place, answer.value, name, part.role);
  if (!located.ok) return located;
  const { replicas, pointer, least } = located.value;
  const { resourceVersion } = versioned.data.metadata;
  return ok({
    replicas,
    least,
    selector: podSelector(part.selector, name, part.role),
    write: (to) => ({
      method: "PATCH",
      path,
      query: { fieldManager: FIELD_MANAGER },
      contentType: "application/json-patch+json",
      body: [
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
        { op: "replace", path: pointer, value: to },
      ],
    }),
  });
}
