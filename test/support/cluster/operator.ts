import { setTimeout as sleep } from "node:timers/promises";
import type { V1Pod } from "@kubernetes/client-node";
import { until } from "../../scaler/support/wait.ts";
import type { Cluster } from "./cluster.ts";
import { podSpec, ROLES, type Role, type Shape } from "./shapes.ts";

export type Counts = Readonly<Record<Role, number>>;
type Body = Readonly<Record<string, unknown>>;

/** A pair of pools in a cluster, with an operator where the cluster has none. */
export interface Pair {
  readonly name: string;
  /** What users and scalers have asked for. */
  wanted(): Promise<Counts>;
  pods(role: Role): Promise<readonly V1Pod[]>;
  /** The objects without what they count, to compare. */
  rest(): Promise<unknown>;
  /** Somebody else scales it. */
  set(counts: Counts): Promise<void>;
  /** New pods find no node from now on, or do again. */
  schedulable(yes: boolean): void;
  /** Deletes the object of a role (of components: of both). */
  remove(role: Role): Promise<void>;
  stop(): Promise<void>;
}

let made = 0;

export async function startPair(cluster: Cluster, shape: Shape, counts: Counts): Promise<Pair> {
  const { core, custom, namespace } = cluster;
  const name = `pair-${made++}`;
  const [group = "", version = ""] = shape.apiVersion.split("/");
  const where = { group, version, namespace, plural: shape.plural };
  const objectName = (role: Role): string => (shape.components === undefined ? `${name}-${role}` : name);
  const objects = shape.components === undefined ? ROLES : (["decode"] as const);
  const stopping = new AbortController();
  let nowhere = false;

  const get = async (role: Role): Promise<Body> => (await custom.getNamespacedCustomObject({ ...where, name: objectName(role) })) as Body;
  const selectorOf = (role: Role): string =>
    Object.entries(shape.labels(name, role))
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
  const pods = async (role: Role): Promise<readonly V1Pod[]> =>
    (await core.listNamespacedPod({ namespace, labelSelector: selectorOf(role) })).items;
  const wanted = async (role: Role): Promise<number> => Number(shape.wanted((await get(role))["spec"] as Body, role));

  async function create(role: Role): Promise<void> {
    const spec = JSON.parse(JSON.stringify(shape.spec(counts, role)).replaceAll('"NAME"', JSON.stringify(name))) as Body;
    const body = { apiVersion: shape.apiVersion, kind: shape.kind, metadata: { name: objectName(role), namespace }, spec };
    // A definition that was installed just now is not served at once.
    await until(`${shape.title} to be served`, () =>
      custom.createNamespacedCustomObject({ ...where, body }).then(
        () => true,
        (error: unknown) => ((error as { code?: number }).code === 404 ? undefined : Promise.reject(error as Error)),
      ),
    );
  }

  /** One round of an operator: pods for replicas that lack, fewer where there are too many, and its status. */
  async function reconcile(role: Role): Promise<void> {
    const size = shape.group?.size ?? 1;
    const all = await pods(role);
    const living = all.filter((pod) => pod.metadata?.deletionTimestamp === undefined);
    const indices = [...new Set(living.map((pod) => Number(pod.metadata?.annotations?.["index"])))].toSorted((a, b) => a - b);
    const target = await wanted(role);
    for (const index of indices.slice(target)) {
      for (const pod of living.filter((p) => p.metadata?.annotations?.["index"] === String(index)))
        await core.deleteNamespacedPod({ namespace, name: pod.metadata?.name ?? "" });
    }
    for (let missing = target - indices.length, index = (indices.at(-1) ?? -1) + 1; missing > 0; missing--, index++)
      for (let worker = 0; worker < size; worker++) await makePod(role, index, worker);
    await report(role, target);
  }

  async function makePod(role: Role, index: number, worker: number): Promise<void> {
    const labels = { ...shape.labels(name, role), ...shape.group?.labels(name, role, index, worker) };
    const spec = { ...podSpec, ...(nowhere ? { nodeSelector: { "fulcrum.dev/nowhere": "true" } } : {}) };
    const metadata = { generateName: `${name}-${role}-${index}-`, labels, annotations: { index: String(index) } };
    await core.createNamespacedPod({ namespace, body: { metadata, spec } });
  }

  const reported = new Map<Role, number>();
  async function report(role: Role, replicas: number): Promise<void> {
    if (shape.selector === undefined || reported.get(role) === replicas) return;
    const status = { replicas, [shape.selector]: selectorOf(role) };
    await custom.patchNamespacedCustomObjectStatus({
      ...where,
      name: objectName(role),
      body: [{ op: "add", path: "/status", value: status }],
    });
    reported.set(role, replicas);
  }

  async function operate(): Promise<void> {
    while (!stopping.signal.aborted) {
      // As operators do: what fails now is tried again in the next round.
      for (const role of ROLES) await reconcile(role).catch(() => undefined);
      await sleep(cluster.pace, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  for (const role of objects) await create(role);
  const running = cluster.standsIn(shape) ? operate() : Promise.resolve();
  return {
    name,
    wanted: async () => ({ prefill: await wanted("prefill"), decode: await wanted("decode") }),
    pods,
    async rest() {
      const found: unknown[] = [];
      for (const role of objects) found.push((await get(role))["spec"]);
      return JSON.parse(JSON.stringify(found, (key, value: unknown) => (key === "replicas" ? undefined : value))) as unknown;
    },
    async set(next) {
      for (const role of objects) {
        const spec = JSON.parse(JSON.stringify(shape.spec(next, role)).replaceAll('"NAME"', JSON.stringify(name))) as Body;
        await custom.patchNamespacedCustomObject({
          ...where,
          name: objectName(role),
          body: [{ op: "replace", path: "/spec", value: spec }],
        });
      }
    },
    schedulable: (yes) => void (nowhere = !yes),
    remove: async (role) => void (await custom.deleteNamespacedCustomObject({ ...where, name: objectName(role) })),
    async stop() {
      stopping.abort();
      await running;
      for (const role of objects) await custom.deleteNamespacedCustomObject({ ...where, name: objectName(role) }).catch(() => undefined);
      if (!cluster.standsIn(shape)) return;
      for (const pod of (await Promise.all(ROLES.map(pods))).flat())
        await core.deleteNamespacedPod({ namespace, name: pod.metadata?.name ?? "", gracePeriodSeconds: 0 }).catch(() => undefined);
    },
  };
}
