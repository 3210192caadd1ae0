import type { FoundEngine } from "./engines.ts";
import { ANNOTATIONS, type Pod } from "./pod.ts";

/**
 * The name of a pod's pool is the name of the object that scales it, so that a policy whose target is that object finds it. Each row: the
 * labels it takes, and the name made of them. The first whose labels are all there decides.
 */
const SCALED_BY: readonly {
  readonly source: string;
  readonly labels: readonly string[];
  readonly name: (...values: string[]) => string;
}[] = [
  // <graph>-<component in lower case>: the operator's scaling adapter.
  {
    source: "DynamoGraphDeploymentScalingAdapter",
    labels: ["nvidia.com/dynamo-graph-deployment-name", "nvidia.com/dynamo-component"],
    name: (graph, component) => `${graph}-${component?.toLowerCase() ?? ""}`,
  },
  {
    source: "RoleBasedGroupScalingAdapter",
    labels: ["rbg.workloads.x-k8s.io/group-name", "rbg.workloads.x-k8s.io/role-name"],
    name: (group, role) => `${group}-${role}`,
  },
  {
    source: "RoleBasedGroupScalingAdapter before v1alpha2",
    labels: ["rolebasedgroup.workloads.x-k8s.io/name", "rolebasedgroup.workloads.x-k8s.io/role"],
    name: (group, role) => `${group}-${role}`,
  },
  {
    source: "DisaggregatedSetRoleScaler",
    labels: ["disaggregatedset.x-k8s.io/name", "disaggregatedset.x-k8s.io/role"],
    name: (set, role) => `${set}-${role}`,
  },
  // Scaled through a component of the whole; the role keeps its two pools apart.
  { source: "StormService", labels: ["storm-service-name", "role-name"], name: (service, role) => `${service}-${role}` },
  {
    source: "ModelServing",
    labels: ["modelserving.volcano.sh/name", "modelserving.volcano.sh/role"],
    name: (serving, role) => `${serving}-${role}`,
  },
  { source: "PodCliqueScalingGroup", labels: ["grove.io/podcliquescalinggroup"], name: (group) => group ?? "" },
  { source: "LeaderWorkerSet", labels: ["leaderworkerset.sigs.k8s.io/name"], name: (set) => set ?? "" },
];

/** Annotation, labels of the operator that scales it, else the controller of the pod; a Deployment's pods have a ReplicaSet between. */
export function poolOf({ annotations, labels, owner }: Pick<Pod, "annotations" | "labels" | "owner">): string | undefined {
  const given = annotations[ANNOTATIONS.pool];
  if (given !== undefined && given !== "") return given;
  for (const { labels: needed, name } of SCALED_BY) {
    const values = needed.map((label) => labels[label]).filter((value) => value !== undefined && value !== "");
    if (values.length === needed.length) return name(...values.filter((value) => value !== undefined));
  }
  if (owner?.kind !== "ReplicaSet") return owner?.name;
  const hash = labels["pod-template-hash"] ?? labels["rollouts-pod-template-hash"];
  return hash !== undefined && owner.name.endsWith(`-${hash}`) ? owner.name.slice(0, -hash.length - 1) : owner.name;
}

/** Labels of pods that belong to a replica which another pod leads: that one has the page, and gives the replica its name. */
const FOLLOWERS: readonly { readonly label: string; readonly follows: (value: string) => boolean }[] = [
  { label: "leaderworkerset.sigs.k8s.io/worker-index", follows: (index) => index !== "0" },
  { label: "arks.ai/work-load-role", follows: (role) => role === "worker" },
  { label: "stormservice.orchestration.aibrix.ai/pod-group-index", follows: (index) => index !== "0" },
  { label: "modelserving.volcano.sh/entry", follows: (entry) => entry === "false" },
  // Dynamo on several nodes: …-ldr leads, …-wkr follows.
  { label: "grove.io/podclique", follows: (clique) => clique.endsWith("-wkr") },
];

export const follows = ({ labels }: Pick<Pod, "labels">): boolean =>
  FOLLOWERS.some(({ label, follows: does }) => labels[label] !== undefined && does(labels[label] ?? ""));

const MODEL_FLAGS = ["--served-model-name", "--model-name", "--model", "--model-path"];
/** Label values cannot hold a slash, so what the engine itself is told is the truer name. */
const MODEL_LABELS = ["llm-d.ai/model", "nvidia.com/dynamo-base-model"];
/** Programs whose first plain word is the model. */
const SERVERS = /(^|\/)(vllm(-rs)?|trtllm-serve)$/;

/** Annotation, the engine's arguments, labels; a pool of a model that nothing names is called by the pool's own name. */
export function modelOf(
  { annotations, labels }: Pick<Pod, "annotations" | "labels">,
  { command }: Pick<FoundEngine, "command">,
): string | undefined {
  const given = annotations[ANNOTATIONS.model];
  if (given !== undefined && given !== "") return given;
  const flagged = MODEL_FLAGS.map((flag) => command.value(flag)).find((value) => value !== undefined);
  if (flagged !== undefined) return flagged;
  const at = command.words.findIndex((word) => SERVERS.test(word));
  const plain = command.words[command.words[at + 1] === "serve" ? at + 2 : at + 1];
  if (at >= 0 && plain !== undefined && plain !== "" && !/^-|\$/.test(plain)) return plain;
  return MODEL_LABELS.map((label) => labels[label]).find((value) => value !== undefined && value !== "");
}
