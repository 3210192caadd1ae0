import type { ReplicaFacts } from "../act/actuator.ts";
import { GROUPS } from "./kinds.ts";
import type { Pod } from "./objects.ts";

export interface PodFacts {
  readonly replicas: readonly ReplicaFacts[];
  /** Replicas with a pod that no node could take. */
  readonly unschedulable: number;
  /** Why replicas do not come up, the commonest reason first: CrashLoopBackOff, ImagePullBackOff, … */
  readonly troubles: readonly string[];
}

/** Pods → replicas. A replica of several pods is as ready as its least ready pod, and goes by the name of the pod that leads it. */
export function podFacts(pods: readonly Pod[], now: number): PodFacts {
  // What has ended holds no GPU: an evicted pod stays as a record until somebody removes it.
  const living = pods.filter((pod) => pod.status.phase !== "Succeeded" && pod.status.phase !== "Failed");
  const replicas: ReplicaFacts[] = [];
  let unschedulable = 0;
  for (const group of grouped(living)) {
    if (group.some(unscheduled)) unschedulable++;
    else replicas.push(replicaOf(group, now));
  }
  return { replicas, unschedulable, troubles: troublesOf(living) };
}

const condition = (pod: Pod, type: string): string | undefined => pod.status.conditions?.find((c) => c.type === type)?.status;
const draining = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const unscheduled = (pod: Pod): boolean => !draining(pod) && condition(pod, "PodScheduled") === "False";

function grouped(pods: readonly Pod[]): readonly (readonly Pod[])[] {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) {
    const key = groupKey(pod);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pod]);
    else group.push(pod);
  }
  return [...groups.values()];
}

function groupKey({ metadata: { name, labels } }: Pod): string {
  for (const { same } of GROUPS) {
    const values = same.map((label) => labels?.[label]);
    if (values.every((value) => value !== undefined)) return `group ${values.join("/")}`;
  }
  return `pod ${name}`;
}

function replicaOf(group: readonly Pod[], now: number): ReplicaFacts {
  // Where no label tells, names do: Dynamo's leaders ("…-ldr-…") come before its workers ("…-wkr-…"), rank 0 before the others.
  const leader = group.find(leads) ?? group.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0];
  const ready = group.every((pod) => condition(pod, "Ready") === "True");
  const made = Math.min(...group.map((pod) => Date.parse(pod.metadata.creationTimestamp ?? "") / 1000).filter(Number.isFinite));
  return {
    pod: leader?.metadata.name ?? "",
    phase: group.some(draining) ? "draining" : ready ? "ready" : "starting",
    age: Number.isFinite(made) ? Math.max(0, now - made) : 0,
  };
}

const leads = (pod: Pod): boolean =>
  GROUPS.some(({ leader }) => leader !== undefined && pod.metadata.labels?.[leader.label] === leader.value);

/** Waiting reasons that pass by themselves. */
const USUAL = new Set(["ContainerCreating", "PodInitializing"]);

function troublesOf(pods: readonly Pod[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const pod of pods) {
    for (const { state } of pod.status.containerStatuses ?? []) {
      const reason = state?.waiting?.reason;
      if (reason !== undefined && !USUAL.has(reason)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} (${count})`);
}
