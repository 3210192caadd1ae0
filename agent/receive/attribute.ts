import type { ResourceSpans } from "../../core/otlp/trace.ts";
import type { EngineTarget } from "../../core/targets.ts";

export interface Attribution {
  readonly target: EngineTarget;
  /** The pod when known, else what the sender calls itself. */
  readonly pod: string;
}

/** Resource attributes that may carry a pod's name; in Kubernetes a container's host name is its pod's. */
const POD_ATTRIBUTES = ["k8s.pod.name", "host.name"] as const;

/**
 * Whose spans these are: by `service.instance.id` as the targets file says it, by an attribute that names the pod, or by
 * a service named like a pod. Engines left at their defaults send a random instance id; if they are at least named like
 * a pool of this node, the pool is known and the replica is not.
 */
export function attribute(resource: Omit<ResourceSpans, "spans">, targets: readonly EngineTarget[]): Attribution | undefined {
  const { instance, service, attributes } = resource;
  const names = [instance, ...POD_ATTRIBUTES.map((key) => attributes.get(key)), service];
  for (const name of names) {
    if (typeof name !== "string" || name === "") continue;
    const target = targets.find((t) => (t.instance ?? t.pod) === name || t.pod === name);
    if (target !== undefined) return { target, pod: target.pod };
  }
  const members = targets.filter((t) => t.pool === service);
  const [first] = members;
  if (first === undefined) return undefined;
  return { target: first, pod: members.length === 1 ? first.pod : (instance ?? first.pool) };
}
