import type { ServedKind } from "./kinds.ts";
import { at, jsonPatch, leaves, mergePatch, nest, type PatchStep } from "./patch.ts";
import { apiVersion, ok, scaleOf, status, type Answer } from "./respond.ts";
import { pruned } from "./prune.ts";
import type { Fields, Json, KubeObject, Store } from "./store.ts";

export interface Write {
  readonly method: string;
  readonly kind: ServedKind;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly contentType: string;
  readonly query: URLSearchParams;
  readonly body: Fields;
}

export function write(store: Store, request: Write): Answer {
  const { method, resource, namespace, name } = request;
  const object = store.get(resource, namespace, name);
  if (method === "POST") return create(store, request);
  const applies = request.contentType === "application/apply-patch+yaml";
  if (object === undefined) {
    if (applies && request.subresource === "")
      return create(store, { ...request, body: mergePatch(request.body, { metadata: { name } }) as Fields });
    return status(404, "NotFound", `${resource} "${name}" not found`);
  }
  if (method === "DELETE") {
    return remove(store, request, object);
  }
  if (request.contentType === "application/json-patch+json") return patchSteps(store, request, object);
  return writeChecked(store, request, object);
}

/** A pod with time to end stays, marked, until its kubelet says that it has ended; everything else is gone at once. */
function remove(store: Store, { resource, namespace, name, query, body }: Write, object: KubeObject): Answer {
  const asked = query.get("gracePeriodSeconds") ?? at(body, "gracePeriodSeconds");
  const grace = Number(asked ?? at(object, "spec.terminationGracePeriodSeconds") ?? 0);
  if (resource !== "pods." || grace === 0) {
    store.delete(resource, namespace, name);
    return ok({ kind: "Status", apiVersion: "v1", status: "Success" });
  }
  const marks = { deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: grace };
  return ok(store.update(resource, namespace, name, (o) => ({ ...o, metadata: { ...marks, ...o.metadata } })));
}

/** A JSON patch is applied to the object as it is; the version it leaves in it is then a condition, as in a PUT. */
function patchSteps(store: Store, request: Write, object: KubeObject): Answer {
  if (request.subresource === "scale") return unsupported(request.contentType);
  const patched = jsonPatch(object as unknown as Json, request.body as unknown as readonly PatchStep[]);
  if ("problem" in patched)
    return status(422, "Invalid", `the server rejected our request due to an error in our request: ${patched.problem}`);
  return writeChecked(store, { ...request, method: "PUT", contentType: "application/json", body: patched.value as Fields }, object);
}

function writeChecked(store: Store, request: Write, object: KubeObject): Answer {
  const { method, resource, name } = request;
  const applies = request.contentType === "application/apply-patch+yaml";
  const version = at(request.body, "metadata.resourceVersion");
  // A stale version conflicts, in a PUT and in a patch that carries one.
  if (version !== undefined && version !== object.metadata.resourceVersion) {
    return status(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${resource} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    );
  }
  if (method === "PUT" && version === undefined) return status(422, "Invalid", "metadata.resourceVersion: must be specified for an update");
  if (request.subresource === "scale") return scale(store, request, object);
  const whole = { ...request, body: kept(request) };
  return applies ? apply(store, whole, object) : change(store, whole, object);
}

/** What is left of what was written; a scale is not an object of the kind. */
const kept = ({ kind, subresource, body }: Write): Fields =>
  kind.schema === undefined || subresource === "scale" ? body : pruned(kind.schema, body);

function create(store: Store, request: Write): Answer {
  const { kind, resource, namespace } = request;
  const body = kept(request);
  const prefix = at(body, "metadata.generateName");
  const name = at(body, "metadata.name") ?? (typeof prefix === "string" ? `${prefix}${store.version}` : undefined);
  if (typeof name !== "string") return status(422, "Invalid", "metadata.name: Required value");
  if (store.get(resource, namespace, name) !== undefined) return status(409, "AlreadyExists", `${resource} "${name}" already exists`);
  const metadata = { ...(body["metadata"] as Fields), name, namespace };
  return ok(store.create(resource, { ...body, apiVersion: apiVersion(kind), kind: kind.kind, metadata }), 201);
}

const PATCHES = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

function scale(store: Store, { kind, method, resource, contentType, body }: Write, object: KubeObject): Answer {
  if (kind.scale === undefined) return status(404, "NotFound", "the server could not find the requested resource");
  if (method === "PATCH" && !PATCHES.includes(contentType)) return unsupported(contentType);
  const replicas = at(body, "spec.replicas") ?? (method === "PUT" ? 0 : at(object, kind.scale.spec));
  if (typeof replicas !== "number" || replicas < 0 || !Number.isInteger(replicas)) {
    return status(422, "Invalid", `spec.replicas: Invalid value: ${JSON.stringify(replicas)}`);
  }
  const next = mergePatch(object as unknown as Json, nest(kind.scale.spec, replicas)) as unknown as KubeObject;
  return ok(scaleOf(kind, store.replace(resource, bumped(object, next))));
}

/** The status subresource changes the status only; the main one everything but the status. */
function change(store: Store, { kind, method, resource, subresource, contentType, body }: Write, object: KubeObject): Answer {
  if (method === "PATCH" && contentType !== "application/merge-patch+json") return unsupported(contentType);
  const whole = (method === "PUT" ? body : mergePatch(object as unknown as Json, body)) as unknown as KubeObject;
  const kept = { ...object.metadata, ...whole.metadata, uid: object.metadata["uid"] ?? null };
  const next =
    subresource === "status"
      ? { ...object, status: whole.status ?? {} }
      : { ...whole, metadata: kept, ...(kind.status && object.status !== undefined ? { status: object.status } : {}) };
  return ok(store.replace(resource, bumped(object, next)));
}

/**
 * Server-side apply: a field of another manager's conflicts, unless forced; one that its manager applies no more goes. Of the status
 * subresource only the status counts, elsewhere everything but it. Lists are taken whole.
 */
function apply(store: Store, { kind, resource, subresource, query, body }: Write, object: KubeObject): Answer {
  const manager = query.get("fieldManager");
  if (manager === null)
    return status(400, "BadRequest", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch");
  const owners = { ...(object["x-owners"] as Record<string, string> | undefined) };
  const uid = at(body, "metadata.uid");
  if (uid !== undefined && uid !== object.metadata["uid"]) {
    return status(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${resource} "${object.metadata.name}": Precondition failed: UID in precondition: ${String(uid)}`,
    );
  }
  const { metadata: _, apiVersion: __, kind: ___, status: told, ...main } = body as Record<string, Json>;
  const ofStatus = subresource === "status";
  const fields: Fields = ofStatus ? { status: told ?? {} } : kind.status || told === undefined ? main : { ...main, status: told };
  const mine = leaves(fields);
  const taken = mine.find((path) => owners[path] !== undefined && owners[path] !== manager && at(object, path) !== at(fields, path));
  if (taken !== undefined && query.get("force") !== "true") {
    return status(409, "Conflict", `Apply failed with 1 conflict: conflict with "${owners[taken] ?? ""}": .${taken}`);
  }
  const given = Object.keys(owners).filter(
    (path) => owners[path] === manager && path.startsWith("status.") === ofStatus && !mine.includes(path),
  );
  for (const path of given) delete owners[path];
  for (const path of mine) owners[path] = manager;
  const without = given.reduce<Json>((whole, path) => mergePatch(whole, nest(path, null)), object as unknown as Json);
  const next = mergePatch(without, fields) as unknown as KubeObject;
  return ok(store.replace(resource, bumped(object, { ...next, "x-owners": owners })));
}

const unsupported = (contentType: string): Answer =>
  status(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${PATCHES.join(", ")}; got ${contentType}`,
  );

function bumped(before: KubeObject, after: KubeObject): KubeObject {
  if (JSON.stringify(before.spec) === JSON.stringify(after.spec)) return after;
  return { ...after, metadata: { ...after.metadata, generation: Number(before.metadata["generation"] ?? 0) + 1 } };
}
