import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "../../../core/result.ts";
import type { Kubectl } from "./kubectl.ts";
import { admitName, type KubeObject } from "./manifests.ts";

const OURS = "fulcrum.dev/demo";
/** On the namespace: that the custom resource came with it and goes with it. */
const MADE_DEFINITION = "fulcrum.dev/demo-made-definition";
const DEFINITION = "scalingpolicies.fulcrum.dev";
/** A definition that was made just now is served within a second or two. */
const APPLY_TRIES = 20;
/** Seconds: engines drain for a minute at most. */
const REMOVE_LIMIT = 180;

/** What is in the cluster before the demo begins. */
export interface Found {
  /** The demo's namespace is there, and it is a demo's. */
  readonly again: boolean;
  /** Namespace of a Fulcrum that follows policies of all namespaces. */
  readonly installed: string | undefined;
  /** The custom resource has to be made, or a demo before this one has made it. */
  readonly definition: "theirs" | "ours" | "missing";
}

/** `refused`: the namespace is somebody's; nothing of it is touched. */
export async function lookAround(kubectl: Kubectl, namespace: string): Promise<Result<Found | "refused", string>> {
  const [own, definition, scalers] = await Promise.all([
    get(kubectl, ["namespace", namespace]),
    get(kubectl, ["customresourcedefinition", DEFINITION]),
    list(kubectl, ["deployments", "--all-namespaces", "--selector", "app.kubernetes.io/name=fulcrum-scaler"]),
  ]);
  if (!own.ok) return own;
  if (!definition.ok) return definition;
  if (!scalers.ok) return scalers;
  const { labels, annotations } = own.value?.metadata ?? {};
  if (own.value !== undefined && labels?.[OURS] !== "true") return ok("refused");
  const everywhere = scalers.value.find((d) => d.metadata.namespace !== namespace && followsAll(d));
  const known = annotations?.[MADE_DEFINITION] === "true" ? "ours" : "theirs";
  return ok({
    again: own.value !== undefined,
    installed: everywhere?.metadata.namespace,
    definition: definition.value === undefined ? "missing" : known,
  });
}

/** Whether a scaler takes policies of other namespaces, as the overlays have it. */
const followsAll = ({ spec }: KubeObject): boolean => /"name":"FULCRUM_POLICY_OBJECTS","value":"all"/.test(JSON.stringify(spec));

export async function apply(kubectl: Kubectl, objects: readonly KubeObject[], madeDefinition: boolean): Promise<Result<undefined, string>> {
  const first = objects.filter(({ kind }) => kind === "Namespace" || kind === "CustomResourceDefinition");
  const marked = first.map((object) => (object.kind === "Namespace" && madeDefinition ? withMark(object) : object));
  const begun = await applyAll(kubectl, marked);
  if (!begun.ok) return begun;
  const rest = objects.filter((object) => !first.includes(object));
  for (let attempt = 1; ; attempt++) {
    const done = await applyAll(kubectl, rest);
    if (done.ok || attempt === APPLY_TRIES || !/no matches for kind|could not find the requested resource/.test(done.error)) return done;
    await sleep(500);
  }
}

const withMark = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [MADE_DEFINITION]: "true" } },
});

/** Server-side, by a name of our own; what a demo before this one has scaled begins anew. */
async function applyAll(kubectl: Kubectl, items: readonly KubeObject[]): Promise<Result<undefined, string>> {
  const args = ["apply", "--server-side", "--force-conflicts", "--field-manager=fulcrum-demo", "--filename", "-"];
  const done = await kubectl(args, items.map((item) => JSON.stringify(item)).join("\n"));
  return done.ok ? ok(undefined) : done;
}

/** What a demo makes outside of its namespace. */
export interface Outside {
  /** The right to review tokens, which comes with a Fulcrum of its own. */
  readonly admit: boolean;
  readonly definition: boolean;
}

/** The commands that remove a demo by hand. */
export const removal = (namespace: string, { admit, definition }: Outside): string =>
  [
    `kubectl delete namespace ${namespace}`,
    ...(admit ? [`kubectl delete clusterrole,clusterrolebinding ${admitName(namespace)}`] : []),
    ...(definition ? [`kubectl delete customresourcedefinition ${DEFINITION}`] : []),
  ].join("; ");

/**
 * The right to review tokens and the namespace with all that is in it; then the custom resource, if it came with the demo and nobody else has
 * policies by now. What cannot be removed keeps nothing else from it.
 */
export async function remove(kubectl: Kubectl, namespace: string, outside: Outside): Promise<Result<string, string>> {
  const admit = outside.admit ? await removeAdmit(kubectl, namespace) : ok(undefined);
  const rest = await removeNamespace(kubectl, namespace, outside.definition);
  const problems = [admit, rest].flatMap((done) => (done.ok ? [] : [done.error]));
  return rest.ok && problems.length === 0 ? rest : err(problems.join("; "));
}

async function removeAdmit(kubectl: Kubectl, namespace: string): Promise<Result<undefined, string>> {
  const name = admitName(namespace);
  const gone = await kubectl(["delete", "clusterrolebinding,clusterrole", name, "--ignore-not-found"]);
  return gone.ok ? ok(undefined) : err(`ClusterRole and ClusterRoleBinding ${name} are not gone: ${gone.error}`);
}

async function removeNamespace(kubectl: Kubectl, namespace: string, madeDefinition: boolean): Promise<Result<string, string>> {
  const gone = await kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--wait", `--timeout=${REMOVE_LIMIT}s`]);
  if (!gone.ok) return err(`namespace ${namespace} is not gone: ${gone.error}`);
  if (!madeDefinition) return ok(`removed namespace ${namespace}`);
  const policies = await list(kubectl, ["scalingpolicies.fulcrum.dev", "--all-namespaces"]);
  if (policies.ok && policies.value.length > 0)
    return ok(`removed namespace ${namespace}; ${DEFINITION} stays, because there are policies in other namespaces now`);
  const removed = await kubectl(["delete", "customresourcedefinition", DEFINITION, "--ignore-not-found"]);
  return removed.ok ? ok(`removed namespace ${namespace} and ${DEFINITION}`) : err(`${DEFINITION} is not gone: ${removed.error}`);
}

async function get(kubectl: Kubectl, what: readonly string[]): Promise<Result<KubeObject | undefined, string>> {
  const found = await kubectl(["get", ...what, "--ignore-not-found", "--output", "json"]);
  if (!found.ok) return found;
  return ok(found.value.trim() === "" ? undefined : (JSON.parse(found.value) as KubeObject)); // what the API server says of it
}

export async function list(kubectl: Kubectl, what: readonly string[]): Promise<Result<readonly KubeObject[], string>> {
  const found = await kubectl(["get", ...what, "--ignore-not-found", "--output", "json"]);
  if (!found.ok) return found;
  if (found.value.trim() === "") return ok([]);
  return ok((JSON.parse(found.value) as { readonly items: readonly KubeObject[] }).items); // a List, as kubectl prints it
}
