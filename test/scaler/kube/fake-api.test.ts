import {
  ApiextensionsV1Api,
  AppsV1Api,
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  Watch,
} from "@kubernetes/client-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startKubelet } from "../../support/kube-api/kubelet.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { until } from "../support/wait.ts";

/** The official client as the judge of our API server: what it cannot read, a real server would not have said. */
let server: KubeApiServer;
let config: KubeConfig;

beforeEach(async () => {
  server = await startKubeApi();
  config = new KubeConfig();
  config.loadFromFile(server.kubeconfig);
});
afterEach(() => server.close());

/** A copy with other fields, of an object or of nothing. */
const edited = <T extends object, F extends object>(value: T | undefined, fields: F): T & F => Object.assign({}, value, fields);

const code = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 200,
    (error: unknown) => (error as { code?: unknown }).code,
  );

test("leases: created once, replaced on the version that was read, else 409; absent is 404", async () => {
  const leases = config.makeApiClient(CoordinationV1Api);
  const where = { namespace: "demo", name: "l" };
  const body = { metadata: { name: "l" }, spec: { holderIdentity: "a", leaseDurationSeconds: 15 } };
  expect(await code(leases.readNamespacedLease(where))).toBe(404);
  const made = await leases.createNamespacedLease({ namespace: "demo", body });
  expect(await code(leases.createNamespacedLease({ namespace: "demo", body }))).toBe(409);
  const next = edited(made, { spec: edited(made.spec, { holderIdentity: "b" }) });
  expect((await leases.replaceNamespacedLease({ ...where, body: next })).spec?.holderIdentity).toBe("b");
  expect(await code(leases.replaceNamespacedLease({ ...where, body: next }))).toBe(409);
});

test("scale: of built-in kinds and of custom ones, read and replaced", async () => {
  startWorkload(server, "Deployment", "d", { replicas: 2 });
  startWorkload(server, "LeaderWorkerSet", "w", { replicas: 1 });
  const apps = config.makeApiClient(AppsV1Api);
  const scale = await apps.readNamespacedDeploymentScale({ namespace: "demo", name: "d" });
  expect(scale).toMatchObject({ spec: { replicas: 2 }, status: { selector: "app=d" } });
  const body = edited(scale, { spec: { replicas: 3 } });
  expect((await apps.replaceNamespacedDeploymentScale({ namespace: "demo", name: "d", body })).spec?.replicas).toBe(3);
  expect(await code(apps.replaceNamespacedDeploymentScale({ namespace: "demo", name: "d", body }))).toBe(409);
  const custom = config.makeApiClient(CustomObjectsApi);
  const where = { group: "leaderworkerset.x-k8s.io", version: "v1", namespace: "demo", plural: "leaderworkersets", name: "w" };
  expect(await custom.getNamespacedCustomObjectScale(where)).toMatchObject({ kind: "Scale", spec: { replicas: 1 } });
});

test("status: its own subresource changes nothing else, and nothing else changes it", async () => {
  startWorkload(server, "Deployment", "d", { replicas: 2 });
  const apps = config.makeApiClient(AppsV1Api);
  const where = { namespace: "demo", name: "d" };
  const read = await apps.readNamespacedDeployment(where);
  const body = edited(read, { spec: edited(read.spec, { replicas: 9 }), status: edited(read.status, { readyReplicas: 7 }) });
  expect(await apps.replaceNamespacedDeploymentStatus({ ...where, body })).toMatchObject({
    spec: { replicas: 2 },
    status: { readyReplicas: 7 },
  });
  const again = await apps.readNamespacedDeployment(where);
  const other = edited(again, { spec: edited(again.spec, { replicas: 1 }), status: { readyReplicas: 0 } });
  expect(await apps.replaceNamespacedDeployment({ ...where, body: other })).toMatchObject({
    spec: { replicas: 1 },
    status: { readyReplicas: 7 },
  });
});

test("a token is reviewed for its audience", async () => {
  server.tokens.set("good", { username: "system:serviceaccount:fulcrum:fulcrum-agent", audiences: ["fulcrum"] });
  const reviews = config.makeApiClient(AuthenticationV1Api);
  const review = async (token: string, audience: string) =>
    (await reviews.createTokenReview({ body: { spec: { token, audiences: [audience] } } })).status?.authenticated;
  expect([await review("good", "fulcrum"), await review("good", "other"), await review("bad", "fulcrum")]).toEqual([true, false, false]);
});

test("server-side apply: fields have owners, and another's are a conflict unless forced", async () => {
  startWorkload(server, "Deployment", "d", { replicas: 2 });
  const apply = async (manager: string, replicas: number, force = false): Promise<number> => {
    const url = `${server.url}/apis/apps/v1/namespaces/demo/deployments/d?fieldManager=${manager}&force=${String(force)}`;
    const headers = { authorization: "Bearer secret", "content-type": "application/apply-patch+yaml" };
    const body = JSON.stringify({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec: { replicas } });
    return (await fetch(url, { method: "PATCH", headers, body })).status;
  };
  expect([await apply("a", 3), await apply("a", 4), await apply("b", 5), await apply("b", 5, true), await apply("a", 6)]).toEqual([
    200, 200, 409, 200, 409,
  ]);
});

test("watch: what happened since, what happens, bookmarks, and 410 for the forgotten", async () => {
  startWorkload(server, "Deployment", "d", { replicas: 1 });
  const from = String(server.store.version - 3);
  const seen: string[] = [];
  const path = "/api/v1/namespaces/demo/pods";
  const open = (resourceVersion: string) =>
    new Watch(config).watch(
      path,
      { resourceVersion, allowWatchBookmarks: true },
      (phase, object: { metadata?: { name?: string }; code?: number }) =>
        void seen.push(`${phase} ${object.metadata?.name ?? object.code ?? ""}`),
      () => undefined,
    );
  const first = await open(from);
  await until("the past", () => (seen.includes("ADDED d-0") ? true : undefined));
  for (const watch of server.watches) watch.bookmark();
  server.store.delete("pods.", "demo", "d-0");
  await until("the end", () => (seen.includes("DELETED d-0") ? true : undefined));
  expect(seen).toEqual(["ADDED d-0", "BOOKMARK ", "DELETED d-0"]);
  first.abort();
  server.store.compact();
  await open(from);
  await until("the refusal", () => (seen.includes("ERROR 410") ? true : undefined));
});

test("custom kinds: a definition serves them, with the scale paths it publishes; a JSON patch is conditional on the version it writes; fields that it does not name are dropped", async () => {
  const definitions = config.makeApiClient(ApiextensionsV1Api);
  const scale = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.pods" };
  const fields = { replicas: { type: "integer" }, kept: { type: "array", items: { type: "integer" } } };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: fields } } } };
  const bare = { name: "v1", served: true, storage: true, subresources: { status: {}, scale } };
  const version = { ...bare, schema };
  const names = { kind: "Thing", plural: "things" };
  const spec = { group: "example.dev", scope: "Namespaced", names, versions: [version] };
  const metadata = { name: "things.example.dev" };
  expect(await code(definitions.createCustomResourceDefinition({ body: { metadata, spec: { ...spec, versions: [bare] } } }))).toBe(422);
  const custom = config.makeApiClient(CustomObjectsApi);
  // Not by the typed API, which leaves out the rules.
  const walks = { rule: "self.?list.orValue([]).all(e, e > 0)", message: "" };
  const costly = { ...bare, schema: { openAPIV3Schema: { type: "object", "x-kubernetes-validations": [walks] } } };
  const all = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
  expect(await code(custom.createClusterCustomObject({ ...all, body: { metadata, spec: { ...spec, versions: [costly] } } }))).toBe(422);
  await definitions.createCustomResourceDefinition({ body: { metadata, spec } });
  const where = { group: "example.dev", version: "v1", namespace: "demo", plural: "things" };
  const made = (await custom.createNamespacedCustomObject({
    ...where,
    body: { metadata: { name: "a" }, spec: { replicas: 2, kept: [1, 2], other: 3 }, more: {} },
  })) as {
    metadata: { resourceVersion: string };
    spec: object;
  };
  expect([made.spec, Object.keys(made).toSorted()]).toEqual([{ replicas: 2, kept: [1, 2] }, ["apiVersion", "kind", "metadata", "spec"]]);
  expect(await custom.getNamespacedCustomObjectScale({ ...where, name: "a" })).toMatchObject({ spec: { replicas: 2 } });
  const set = (resourceVersion: string, replicas: number) =>
    custom.patchNamespacedCustomObject({
      ...{ ...where, name: "a" },
      body: [
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
        { op: "replace", path: "/spec/replicas", value: replicas },
      ],
    });
  expect(await set(made.metadata.resourceVersion, 5)).toMatchObject({ spec: { replicas: 5, kept: [1, 2] } });
  expect(await code(set(made.metadata.resourceVersion, 7))).toBe(409);
  const missing = [{ op: "replace", path: "/spec/nothing/replicas", value: 1 }];
  expect(await code(custom.patchNamespacedCustomObject({ ...where, name: "a", body: missing }))).toBe(422);
});

test("pods: bound and ready, or unschedulable; asked to end they take their grace", async () => {
  const kubelet = startKubelet(server, { capacity: () => 1 });
  const core = config.makeApiClient(CoreV1Api);
  const pod = { metadata: { generateName: "p-" }, spec: { terminationGracePeriodSeconds: 30, containers: [{ name: "c", image: "i" }] } };
  const first = await core.createNamespacedPod({ namespace: "demo", body: pod });
  const name = first.metadata?.name ?? "";
  const told = async (of: string, type: string): Promise<string | undefined> =>
    (await core.readNamespacedPod({ namespace: "demo", name: of })).status?.conditions?.find((c) => c.type === type)?.status;
  await until("ready", async () => ((await told(name, "Ready")) === "True" ? true : undefined));
  const second = (await core.createNamespacedPod({ namespace: "demo", body: pod })).metadata?.name ?? "";
  await until("unschedulable", async () => ((await told(second, "PodScheduled")) === "False" ? true : undefined));
  await core.deleteNamespacedPod({ namespace: "demo", name });
  await until("its place for the other", async () => ((await told(second, "Ready")) === "True" ? true : undefined));
  expect(await code(core.readNamespacedPod({ namespace: "demo", name }))).toBe(404);
  kubelet.stop();
});

test("access is reviewed", async () => {
  server.allows = ({ verb, resource }) => `${verb} ${resource}` === "patch deployments/scale";
  const reviews = config.makeApiClient(AuthorizationV1Api);
  const may = async (verb: string): Promise<boolean | undefined> => {
    const resourceAttributes = { verb, group: "apps", resource: "deployments", subresource: "scale" };
    return (await reviews.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } })).status?.allowed;
  };
  expect([await may("patch"), await may("update")]).toEqual([true, false]);
});
