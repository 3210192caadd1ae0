import { KINDS, type ServedKind } from "./kinds.ts";
import { at, mergePatch, nest } from "./patch.ts";
import type { KubeApiServer } from "./server.ts";
import type { Fields, Json, KubeObject } from "./store.ts";

/** What runs a workload in a cluster, in small: makes and removes its pods when its count changes. */
export interface Workload {
  readonly name: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** Pods that hold a node, draining ones included. */
  holding(): number;
  replicas(): number;
  pods(): readonly KubeObject[];
  /** Somebody else scales it. */
  setReplicas(replicas: number): void;
  /** The draining pods end. */
  finishDraining(): void;
  /** Writes its status, as a rollout does: its version moves on. */
  touch(): void;
}

export interface WorkloadOptions {
  readonly namespace?: string;
  readonly replicas: number;
  /** Pods that find a node; more stay unschedulable. */
  readonly capacity?: () => number;
  /** Pods of one replica. */
  readonly size?: number;
  readonly ownedBy?: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  /** Spec of its pods. */
  readonly template?: Fields;
  /** Whether pods that are removed linger until finishDraining. */
  readonly drains?: boolean;
}

export function startWorkload(api: KubeApiServer, kindName: string, name: string, options: WorkloadOptions): Workload {
  const kind = kindOf(kindName);
  const { store } = api;
  const namespace = options.namespace ?? "demo";
  const resource = `${kind.plural}.${kind.group}`;
  const selector = { app: name };
  const paths = kind.scale ?? { spec: "spec.replicas", status: "status.replicas", selector: "status.selector" };
  let made = 0;

  const own = (): KubeObject[] =>
    store.list("pods.", namespace).filter((pod) => (pod.metadata["labels"] as Fields | undefined)?.["app"] === name);
  const leaving = (pod: KubeObject): boolean => pod.metadata["deletionTimestamp"] !== undefined;
  const current = (): KubeObject => {
    const object = store.get(resource, namespace, name);
    if (object === undefined) throw new Error(`no ${kindName} ${name}`);
    return object;
  };
  const wanted = (): number => Number(at(current(), paths.spec) ?? 0);

  function makePod(index: number, worker: number): void {
    const group = kindName === "LeaderWorkerSet" ? lwsLabels(name, index, worker) : {};
    const scheduled = own().length < (options.capacity?.() ?? Number.POSITIVE_INFINITY);
    const conditions = scheduled
      ? [
          { type: "PodScheduled", status: "True" },
          { type: "Ready", status: "True" },
        ]
      : [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }];
    store.create("pods.", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: options.size === undefined ? `${name}-${index}` : `${name}-${index}-${worker}`,
        namespace,
        labels: { ...selector, ...group },
      },
      spec: options.template ?? {},
      status: { podIP: "127.0.0.1", phase: scheduled ? "Running" : "Pending", conditions },
    });
  }

  function reconcile(): void {
    const size = options.size ?? 1;
    const living = own().filter((pod) => !leaving(pod));
    for (let missing = wanted() - living.length / size; missing > 0; missing--) {
      const index = made++;
      for (let worker = 0; worker < size; worker++) makePod(index, worker);
    }
    const ranked = kindName === "Deployment" ? living.toSorted((a, b) => keeps(b) - keeps(a)) : living;
    for (const pod of ranked.slice(wanted() * size)) {
      if (options.drains !== true) store.delete("pods.", namespace, pod.metadata.name);
      else
        store.update("pods.", namespace, pod.metadata.name, (p) => ({
          ...p,
          metadata: { ...p.metadata, deletionTimestamp: new Date().toISOString() },
        }));
    }
    if (Number(at(current(), paths.status) ?? 0) !== wanted()) status({ replicas: wanted() });
  }

  const status = (fields: Fields): void =>
    void store.update(resource, namespace, name, (object) => ({ ...object, status: mergePatch(object.status ?? {}, fields) as Fields }));

  const spec = paths.selector === "spec.selector" ? { selector: { matchLabels: selector } } : {};
  const told = paths.selector.startsWith("status.") ? nest(paths.selector.slice("status.".length), `app=${name}`) : {};
  store.create(resource, {
    apiVersion: `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata: {
      name,
      namespace,
      ...(options.ownedBy === undefined ? {} : { ownerReferences: [{ ...options.ownedBy, controller: true, uid: "1" }] }),
    },
    spec: mergePatch(spec, nest("replicas", options.replicas)),
    status: told,
  });
  reconcile();
  // After the writer has got its answer, as a controller would.
  store.listen((event) => {
    if (event.resource === resource && event.type === "MODIFIED" && event.object.metadata.name === name) queueMicrotask(reconcile);
  });

  return {
    name,
    apiVersion: `${kind.group}/${kind.version}`,
    kind: kind.kind,
    holding: () => own().length,
    replicas: wanted,
    pods: own,
    setReplicas: (replicas) =>
      void store.update(
        resource,
        namespace,
        name,
        (o) => mergePatch(o as unknown as Json, nest(paths.spec, replicas)) as unknown as KubeObject,
      ),
    finishDraining() {
      for (const pod of own().filter(leaving)) store.delete("pods.", namespace, pod.metadata.name);
    },
    touch: () => status({ observed: store.version }),
  };
}

/** As a ReplicaSet ranks its pods: those that are not ready go first, then the cheapest. */
function keeps(pod: KubeObject): number {
  const conditions = at(pod, "status.conditions") as readonly { readonly type: string; readonly status: string }[] | undefined;
  const ready = conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
  const cost = (pod.metadata["annotations"] as Fields | undefined)?.["controller.kubernetes.io/pod-deletion-cost"];
  return (ready ? 1e12 : 0) + Number(cost ?? 0);
}

function kindOf(name: string): ServedKind {
  const kind = KINDS.find((k) => k.kind === name);
  if (kind === undefined) throw new Error(`the server does not serve ${name}`);
  return kind;
}

const lwsLabels = (name: string, index: number, worker: number): Fields => ({
  "leaderworkerset.sigs.k8s.io/name": name,
  "leaderworkerset.sigs.k8s.io/group-index": String(index),
  "leaderworkerset.sigs.k8s.io/worker-index": String(worker),
});
