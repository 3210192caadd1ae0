import { err, ok, type Result } from "../../core/result.ts";
import type { KubeApi } from "../kube/api.ts";
import type { Discovery, KubeResource } from "../kube/discovery.ts";
import { readCount } from "../kube/count.ts";
import { notOneRole } from "../kube/kinds.ts";
import type { Pod } from "../kube/objects.ts";
import { partKind } from "../kube/parts.ts";
import type { PodWatch } from "../kube/pod-watch.ts";
import { podFacts } from "../kube/pods.ts";
import { targetName, type Count, type KubeTarget, type PartRef } from "../kube/target.ts";
import type { Policy } from "../policy/schema.ts";
import type { PoolFacts } from "./actuator.ts";

export type Role = "prefill" | "decode";

/** A pool as it is now: its facts, and what a write to it must be about. */
export interface LivePool {
  readonly target: KubeTarget;
  /** The target's, when it was read. */
  readonly count: Count;
  readonly facts: PoolFacts;
  readonly troubles: readonly string[];
  readonly pods: readonly Pod[];
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
  const count = await readCount(sources.api, target.value, signal);
  if (!count.ok) return err(`${role} target: ${count.error}`);
  const { replicas: desired, selector } = count.value;
  if (selector === undefined) {
    return err(`${role} target: ${targetName(target.value)} has no selector (yet), so its pods cannot be told`);
  }
  const pods = await sources.podWatch.pods(namespace, selector, signal);
  if (!pods.ok) return err(`${role} target: ${pods.error}`);
  const { replicas, unschedulable, troubles } = podFacts(pods.value, sources.clock());
  // What an engine is, its own pages say; which limits it runs with, its arguments (limits/apply.ts) or its page.
  const facts = { name, model: undefined, engine: undefined, desired, unschedulable, limits: {}, replicas };
  return ok({ target: target.value, count: count.value, facts, troubles, pods: pods.value });
}

async function targetOf(discovery: Discovery, policy: Policy, role: Role, signal: AbortSignal): Promise<Result<KubeTarget, string>> {
  const target = policy.spec.pools[role].target;
  if (target === undefined) return err("is missing; name the workload that runs the pool");
  const { apiVersion, kind, name, component } = target;
  const found = await discovery.find(apiVersion, kind, signal);
  if (!found.ok) return found;
  const { resource, notScalable } = found.value;
  const where = { resource, namespace: policy.metadata.namespace, name };
  if (component !== undefined) {
    const part = await partOf(discovery, resource, apiVersion, component, signal);
    return part.ok ? ok({ ...where, part: part.value }) : part;
  }
  if (notScalable !== undefined) {
    const byRole = partKind(resource.group, kind) === undefined ? "" : `; or name one of its roles with component`;
    return err(`${notScalable}${byRole}`);
  }
  const why = notOneRole(resource.group, kind);
  return why === undefined ? ok(where) : err(`a ${kind} cannot be a pool: ${why}`);
}

async function partOf(
  discovery: Discovery,
  { group, kind: name }: KubeResource,
  apiVersion: string,
  role: string,
  signal: AbortSignal,
): Promise<Result<PartRef, string>> {
  const kind = partKind(group, name);
  if (kind === undefined) return err(`a ${name} has no components that are known here; leave out component ${role}`);
  const place = kind.places[apiVersion.split("/", 2)[1] ?? ""];
  if (place === undefined) {
    const known = Object.keys(kind.places).map((version) => `${group}/${version}`);
    return err(`components of a ${name} are known for ${known.join(" and ")}, not for ${apiVersion}`);
  }
  const { older } = place;
  if (older === undefined) return ok({ kind, place, role, selector: kind.selector });
  const newer = await discovery.serves(group, older.before, signal);
  return newer.ok ? ok({ kind, place, role, selector: newer.value ? kind.selector : older.selector }) : newer;
}
