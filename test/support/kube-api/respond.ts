import type { ServedKind } from "./kinds.ts";
import { at, matchesFields, matchesLabels } from "./patch.ts";
import type { Fields, Json, KubeObject } from "./store.ts";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A Status object, as the API server words its refusals. */
export const status = (code: number, reason: string, message: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status: code,
  headers,
  body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code },
});

export const ok = (body: unknown, code = 200): Answer => ({ status: code, body });

export const apiVersion = ({ group, version }: ServedKind): string => (group === "" ? version : `${group}/${version}`);

/** autoscaling/v1 Scale of an object; the selector is a string whatever form the object keeps it in. */
export function scaleOf(kind: ServedKind, object: KubeObject): KubeObject {
  const paths = kind.scale ?? { spec: "", status: "", selector: "" };
  const replicas = at(object, paths.spec);
  const selector = selectorText(at(object, paths.selector));
  const { name, namespace, resourceVersion, uid, creationTimestamp } = object.metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, resourceVersion, uid: uid ?? null, creationTimestamp: creationTimestamp ?? null },
    // Go leaves out an int that is zero.
    spec: typeof replicas === "number" && replicas > 0 ? { replicas } : {},
    status: { replicas: at(object, paths.status) ?? 0, ...(selector === undefined ? {} : { selector }) },
  };
}

function selectorText(selector: Json | undefined): string | undefined {
  if (typeof selector === "string") return selector;
  const labels = at(selector, "matchLabels") as Fields | undefined;
  return labels === undefined
    ? undefined
    : Object.entries(labels)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(",");
}

/** A page of a list; the continue token is the index to go on from. */
export function listOf(kind: ServedKind, objects: readonly KubeObject[], version: number, query: URLSearchParams): Answer {
  const selector = query.get("labelSelector") ?? "";
  const fields = query.get("fieldSelector") ?? "";
  const found = objects.filter((object) => matchesLabels(object.metadata["labels"], selector) && matchesFields(object, fields));
  const start = Number(query.get("continue") ?? 0);
  const limit = Number(query.get("limit") ?? 0) || found.length;
  const end = start + limit;
  return ok({
    kind: `${kind.kind}List`,
    apiVersion: apiVersion(kind),
    metadata: { resourceVersion: String(version), ...(end < found.length ? { continue: String(end) } : {}) },
    items: found.slice(start, end),
  });
}

/** /apis/{group}/{version} */
export function resourceList(kinds: readonly ServedKind[], groupVersion: string): Answer {
  const resources = kinds.flatMap((kind) => [
    {
      name: kind.plural,
      kind: kind.kind,
      namespaced: kind.clusterScoped !== true,
      singularName: "",
      verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
    },
    ...(kind.status
      ? [{ name: `${kind.plural}/status`, kind: kind.kind, namespaced: kind.clusterScoped !== true, singularName: "", verbs: ["get"] }]
      : []),
    ...(kind.scale === undefined
      ? []
      : [
          {
            name: `${kind.plural}/scale`,
            kind: "Scale",
            group: "autoscaling",
            version: "v1",
            namespaced: true,
            singularName: "",
            verbs: ["get"],
          },
        ]),
  ]);
  return resources.length === 0
    ? status(404, "NotFound", "the server could not find the requested resource")
    : ok({ kind: "APIResourceList", apiVersion: "v1", groupVersion, resources });
}
