/** Kinds whose scale subresource counts something else than the replicas of one role. Scaling them would do what nobody asked for. */
const NOT_ONE_ROLE: Readonly<Record<string, string>> = {
  "orchestration.aibrix.ai/StormService": "its scale counts role sets, each with prefill and decode in it; name a role with component",
  "workload.serving.volcano.sh/ModelServing":
    "its scale counts serving groups, each with prefill and decode in it; name a role with component",
  "grove.io/PodCliqueSet": "its scale counts whole gangs; name one of its PodCliqueScalingGroups",
  "workloads.x-k8s.io/RoleInstanceSet": "it is a part of a RoleBasedGroup; name its RoleBasedGroupScalingAdapter",
};

export const notOneRole = (group: string, kind: string): string | undefined => NOT_ONE_ROLE[`${group}/${kind}`];

/**
 * Kinds that users make and operators make. One that a controller made is put back by it. (Adapters and scaling groups are always
 * made by a controller, for others to scale.)
 */
const MADE_BY_BOTH = new Set(["apps/Deployment", "apps/StatefulSet", "leaderworkerset.x-k8s.io/LeaderWorkerSet"]);

export const mayBeManaged = (group: string, kind: string): boolean => MADE_BY_BOTH.has(`${group}/${kind}`);

/** Labels that are equal on all pods of one replica of several pods, and the one that tells which of them leads. */
export const GROUPS: readonly { readonly same: readonly string[]; readonly leader?: { readonly label: string; readonly value: string } }[] =
  [
    {
      same: ["leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index"],
      leader: { label: "leaderworkerset.sigs.k8s.io/worker-index", value: "0" },
    },
    {
      same: ["modelserving.volcano.sh/group-name", "modelserving.volcano.sh/role-id"],
      leader: { label: "modelserving.volcano.sh/entry", value: "true" },
    },
    {
      same: ["roleset-name", "role-name", "stormservice.orchestration.aibrix.ai/role-replica-index"],
      leader: { label: "stormservice.orchestration.aibrix.ai/pod-group-index", value: "0" },
    },
    { same: ["grove.io/podcliquescalinggroup", "grove.io/podcliquescalinggroup-replica-index"] },
    { same: ["rbg.workloads.x-k8s.io/role-instance-name"] },
  ];
