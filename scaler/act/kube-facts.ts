import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "../kube/api.ts";
import type { Discovery } from "../kube/discovery.ts";
import { notOneRole } from "../kube/kinds.ts";
import type { PodWatch } from "../kube/pod-watch.ts";
import { podFacts } from "../kube/pods.ts";
import type { KubeTarget } from "../kube/rivals.ts";
import { readScale } from "../kube/scale.ts";
import type { Policy } from "../policy/schema.ts";
import type { PoolFacts } from "./actuator.ts";

export type Role = "prefill" | "decode";

/** A pool as it is now: its facts, and what a write to it must be about. */
export interface LivePool {
  readonly target: KubeTarget;
  /** Of the target when its count was read. */
  readonly version: string;
  readonly facts: PoolFacts;
  readonly troubles: readonly string[];
}

export interface Sources {
  readonly api: KubeApi;
  readonly discovery: Discovery;
  readonly podWatch: PodWatch;
  /** Seconds since 1970: pods tell when they were made. */
  readonly clock: () => number;
}

export async function livePool(sources: Sources, policy: Policy, role: Role, signal: AbortSignal): Promise<Result<LivePool, string>> {
  const target = await targetOf(sources.discovery, policy, role, signal);
  if (!target.ok) return err(`${role} target: ${target.error}`);
  const { namespace, name } = target.value;
  const scale = await readScale(sources.api, target.value, signal);
  if (!scale.ok) return err(`${role} target: ${scale.error}`);
  const { spec, status, metadata } = scale.value;
  // A controller that has not looked at its object yet has told no selector: which pods are its, nobody knows.
  if (status.selector === undefined || status.selector === "") {
    return err(`${role} target: the scale of ${target.value.resource.kind} ${name} has no selector (yet), so its pods cannot be told`);
  }
  const pods = await sources.podWatch.pods(namespace, status.selector, signal);
  if (!pods.ok) return err(`${role} target: ${pods.error}`);
  const { replicas, unschedulable, troubles } = podFacts(pods.value, sources.clock());
  // What an engine is and which limits it runs with, its own pages say; the cluster does not.
  const facts = { name, model: undefined, engine: undefined, desired: spec.replicas, unschedulable, limits: {}, replicas };
  return ok({ target: target.value, version: metadata.resourceVersion, facts, troubles });
}

async function targetOf(discovery: Discovery, policy: Policy, role: Role, signal: AbortSignal): Promise<Result<KubeTarget, string>> {
  const target = policy.spec.pools[role].target;
  if (target === undefined) return err("is missing; name the workload that runs the pool");
  if (target.component !== undefined) {
    return err(
      `component ${target.component} of a ${target.kind} cannot be scaled yet; name its scaling adapter, which has a scale subresource`,
    );
  }
  const resource = await discovery.scalable(target.apiVersion, target.kind, signal);
  if (!resource.ok) return resource;
  const why = notOneRole(resource.value.group, target.kind);
  if (why !== undefined) return err(`a ${target.kind} cannot be a pool: ${why}`);
  return ok({ resource: resource.value, namespace: policy.metadata.namespace, name: target.name });
}
