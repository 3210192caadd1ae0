import { matchesLabels } from "./patch.ts";
import { ok } from "./respond.ts";
import type { KubeApiServer } from "./server.ts";
import type { Fields, KubeObject } from "./store.ts";

/** Controllers in small, for whatever manifests are applied: pods for Deployments and DaemonSets, and namespaces that end with what is in them. */
export interface Controllers {
  stop(): void;
}

const HASH = "5d4f8c7b9";
const WORKLOADS = ["deployments.apps", "daemonsets.apps"];

interface Template {
  readonly metadata?: { readonly labels?: Fields; readonly annotations?: Fields };
  readonly spec: Fields;
}

/** `addressOf` gives each new pod its own address. */
export function startControllers(server: KubeApiServer, addressOf: () => string): Controllers {
  const { store } = server;
  let made = 0;
  const living = (pod: KubeObject): boolean => pod.metadata["deletionTimestamp"] === undefined;
  const terminating = (namespace: string): boolean => store.get("namespaces.", "", namespace)?.metadata["deletionTimestamp"] !== undefined;
  const podsOf = (workload: KubeObject): KubeObject[] =>
    store.list("pods.", workload.metadata.namespace).filter((pod) => {
      const { matchLabels = {} } = (workload.spec?.["selector"] ?? {}) as { matchLabels?: Readonly<Record<string, string>> };
      return matchesLabels(
        pod.metadata["labels"],
        Object.entries(matchLabels)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
      );
    });
  const isReady = ({ status }: KubeObject): boolean =>
    ((status?.["conditions"] ?? []) as readonly { type: string; status: string }[]).some((c) => c.type === "Ready" && c.status === "True");

  function makePod({ kind, metadata: { name, namespace }, spec }: KubeObject): void {
    const template = spec?.["template"] as unknown as Template;
    const hash = kind === "Deployment" ? { "pod-template-hash": HASH } : {};
    const owner = kind === "Deployment" ? { kind: "ReplicaSet", name: `${name}-${HASH}` } : { kind, name };
    store.create("pods.", {
      ...{ apiVersion: "v1", kind: "Pod" },
      metadata: {
        ...{ name: `${owner.name}-${(made++).toString(36).padStart(5, "x")}`, namespace },
        labels: { ...template.metadata?.labels, ...hash },
        annotations: { ...template.metadata?.annotations },
        ownerReferences: [{ ...owner, apiVersion: "apps/v1", controller: true, uid: "1" }],
      },
      spec: { ...template.spec, nodeName: "node-a" },
      status: { phase: "Pending", podIP: addressOf(), conditions: [{ type: "PodScheduled", status: "True" }] },
    });
  }

  function reconcile(resource: string, namespace: string, name: string): void {
    const workload = store.get(resource, namespace, name);
    if (workload === undefined || terminating(namespace)) return;
    const own = podsOf(workload).filter(living);
    const wanted = workload.kind === "DaemonSet" ? 1 : Number(workload.spec?.["replicas"] ?? 1);
    for (let missing = wanted - own.length; missing > 0; missing--) makePod(workload);
    // Those that are not ready go first, then the youngest.
    const ranked = own.toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)));
    for (const pod of ranked.slice(wanted)) endPod(pod);
    const ready = own.filter(isReady).length;
    const status = { ...workload.status, replicas: own.length, readyReplicas: ready };
    if (JSON.stringify(status) !== JSON.stringify(workload.status)) store.update(resource, namespace, name, (o) => ({ ...o, status }));
  }

  const endPod = ({ metadata: { namespace, name } }: KubeObject): void =>
    void store.update("pods.", namespace, name, (pod) => ({
      ...pod,
      metadata: { ...pod.metadata, deletionTimestamp: new Date().toISOString() },
    }));

  /** A namespace that is deleted stays until its pods have ended. */
  function endNamespace(name: string): KubeObject | undefined {
    if (store.get("namespaces.", "", name) === undefined) return undefined;
    const ended = store.update("namespaces.", "", name, (o) => ({
      ...o,
      metadata: { ...o.metadata, deletionTimestamp: new Date().toISOString() },
    }));
    queueMicrotask(() => {
      for (const kind of server.kinds.filter((k) => k.plural !== "pods")) {
        const resource = `${kind.plural}.${kind.group}`;
        for (const object of store.list(resource, name)) store.delete(resource, name, object.metadata.name);
      }
      for (const pod of store.list("pods.", name).filter(living)) endPod(pod);
      finish(name);
    });
    return ended;
  }
  const finish = (name: string): void => {
    if (terminating(name) && store.list("pods.", name).length === 0) store.delete("namespaces.", "", name);
  };

  const before = server.fault;
  server.fault = (call) => {
    if (call.verb !== "delete" || call.resource !== "namespaces") return before(call);
    const ended = endNamespace(call.name);
    return ended === undefined ? before(call) : ok(ended);
  };
  const unlisten = store.listen(({ type, resource, object }) => {
    const { namespace, name } = object.metadata;
    // After the writer has got its answer.
    if (WORKLOADS.includes(resource)) queueMicrotask(() => reconcile(resource, namespace, name));
    if (resource === "pods.")
      queueMicrotask(() => {
        for (const kind of WORKLOADS) for (const w of store.list(kind, namespace)) reconcile(kind, namespace, w.metadata.name);
        finish(namespace);
      });
    if (resource === "customresourcedefinitions.apiextensions.k8s.io" && type === "DELETED") {
      const [plural = ""] = name.split(".", 1);
      for (let at = server.kinds.length - 1; at >= 0; at--) if (server.kinds[at]?.plural === plural) server.kinds.splice(at, 1);
    }
  });
  return {
    stop() {
      unlisten();
      server.fault = before;
    },
  };
}
