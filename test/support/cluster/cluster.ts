import { ApiextensionsV1Api, CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { BUILT_IN_GROUPS, KINDS } from "../kube-api/kinds.ts";
import { startKubelet } from "../kube-api/kubelet.ts";
import { startKubeApi, type KubeApiServer } from "../kube-api/server.ts";
import { startFaultProxy, type Faults } from "./fault-proxy.ts";
import { ownControlPlane } from "./own.ts";
import { kubeConfigOf, REAL_CLUSTER } from "./real.ts";
import { SHAPES, type Shape } from "./shapes.ts";

/** A cluster to act on: the API server of the tests, or a real one. */
export interface Cluster {
  readonly kubeconfig: string;
  /** Undefined = a real cluster. */
  readonly fake: KubeApiServer | undefined;
  /** Of the tests' own API server, or between whoever uses `kubeconfig` and a real one. */
  readonly faults: Faults;
  /** Makes the server forget what was, so that watches from before are answered 410; undefined = it is not ours to do. */
  readonly forget: (() => Promise<void>) | undefined;
  readonly namespace: string;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
  /** Milliseconds between two looks. */
  readonly pace: number;
  /** Why a kind cannot be tested here; undefined = it can. */
  missing(shape: Shape): string | undefined;
  /** Whether nobody but the tests runs this kind's pods. */
  standsIn(shape: Shape): boolean;
  close(): Promise<void>;
}

/** Marks definitions that are ours: no operator of the kind is there. */
const MINIMAL = "fulcrum.dev/minimal";

/**
 * By default a plain cluster of our own, else the real one that is named; `FULCRUM_TEST_CRDS=install` lets that have minimal
 * definitions of the kinds it lacks. On the own cluster they are always installed, the same way.
 */
export async function openCluster(): Promise<Cluster> {
  const plain = KINDS.filter((k) => BUILT_IN_GROUPS.has(k.group));
  const fake = REAL_CLUSTER === undefined ? await startKubeApi("secret", plain) : undefined;
  const kubelet = fake === undefined ? undefined : startKubelet(fake, { readyAfter: 20, endsAfter: 60 });
  const config = kubeConfigOf(fake?.kubeconfig ?? REAL_CLUSTER ?? "");
  if (fake === undefined) console.info(`the cluster of these tests: ${config.currentContext}, ${config.getCurrentCluster()?.server}`);
  const proxy = fake === undefined ? await startFaultProxy(config) : undefined;
  const kubeconfig = fake?.kubeconfig ?? proxy?.kubeconfig ?? "";
  const [core, custom] = [config.makeApiClient(CoreV1Api), config.makeApiClient(CustomObjectsApi)];
  const definitions = config.makeApiClient(ApiextensionsV1Api);
  if (fake !== undefined || process.env["FULCRUM_TEST_CRDS"] === "install") await install(definitions, custom);
  const known = await definitionsOf(definitions);
  const namespace = `fulcrum-test-${Date.now().toString(36)}`;
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  const nameOf = ({ plural, apiVersion }: Shape): string => `${plural}.${apiVersion.split("/")[0] ?? ""}`;
  return {
    ...{ faults: fake ?? proxy ?? fail(), forget: forgetting(fake) },
    ...{ kubeconfig, fake, namespace, core, custom, pace: fake === undefined ? 300 : 15 },
    missing(shape) {
      if (shape.builtIn === true) return undefined;
      const version = shape.apiVersion.split("/")[1] ?? "";
      return known.get(nameOf(shape))?.versions.includes(version) === true ? undefined : `the cluster serves no ${shape.title}`;
    },
    // On a control plane of ours no operator runs, whoever's definitions there are.
    standsIn: (shape) =>
      (shape.builtIn !== true && (ownControlPlane() !== undefined || known.get(nameOf(shape))?.ours === true)) || fake !== undefined,
    async close() {
      await core.deleteNamespace({ name: namespace });
      kubelet?.stop();
      proxy?.close();
      await fake?.close();
    },
  };
}

function forgetting(fake: KubeApiServer | undefined): Cluster["forget"] {
  const own = ownControlPlane();
  if (fake !== undefined) return async () => fake.store.compact();
  if (own === undefined) return undefined;
  return async () => {
    await own.compact();
    // What its own cache still tells is gone with it.
    await own.restart();
  };
}

function fail(): never {
  throw new Error("a cluster is the tests' own or reached through the proxy");
}

async function definitionsOf(api: ApiextensionsV1Api) {
  const { items } = await api.listCustomResourceDefinition();
  return new Map(
    items.map((d) => [
      d.metadata?.name ?? "",
      { versions: d.spec.versions.map((v) => v.name), ours: d.metadata?.labels?.[MINIMAL] === "true" },
    ]),
  );
}

async function install(api: ApiextensionsV1Api, custom: CustomObjectsApi): Promise<void> {
  const present = await definitionsOf(api);
  for (const [name, shapes] of grouped()) {
    if (present.has(name)) continue;
    // Not by the typed API: it leaves out x-kubernetes-preserve-unknown-fields, for which it has another name, and then no field is kept.
    const where = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
    await custom.createClusterCustomObject({ ...where, body: definition(name, shapes) });
  }
}

const groupOf = (apiVersion: string): string => apiVersion.split("/")[0] ?? "";

function grouped(): Map<string, Shape[]> {
  const groups = new Map<string, Shape[]>();
  for (const shape of SHAPES.filter(({ builtIn }) => builtIn !== true)) {
    const name = `${shape.plural}.${groupOf(shape.apiVersion)}`;
    groups.set(name, [...(groups.get(name) ?? []), shape]);
  }
  return groups;
}

function definition(name: string, shapes: readonly Shape[]) {
  const [{ kind, plural, apiVersion }] = shapes as readonly [Shape, ...Shape[]];
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name, labels: { [MINIMAL]: "true" } },
    spec: {
      group: groupOf(apiVersion),
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: shapes.map((shape, index) => ({
        name: shape.apiVersion.split("/")[1] ?? "",
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        subresources: {
          status: {},
          ...(shape.selector === undefined
            ? {}
            : {
                scale: {
                  specReplicasPath: ".spec.replicas",
                  statusReplicasPath: ".status.replicas",
                  labelSelectorPath: `.status.${shape.selector}`,
                },
              }),
        },
      })),
    },
  };
}
