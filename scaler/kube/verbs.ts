import { PART_KINDS } from "./parts.ts";

/**
 * What the scaler asks of the API server, apart from discovery, which every service account may read. RBAC grants exactly this;
 * a test compares it with the calls that are made.
 */
export interface Grant {
  readonly group: string;
  /** With its subresource. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /**
   * see: replica counts; act: changing them through scale subresources, and nothing without it; act-on-components: changing them where
   * there is none, which RBAC cannot narrow to the count; choose-victims: saying which pods of a Deployment go first; roll-out-limits:
   * changing arguments of Deployments; lead: in the scaler's own namespace only; tell: ScalingPolicy objects, what they say of
   * themselves, and events; admit: whether agents are who they say.
   */
  readonly for: "see" | "act" | "act-on-components" | "choose-victims" | "roll-out-limits" | "lead" | "tell" | "admit";
}

/** Kinds of whom one object is the replicas of one role. Others with a scale subresource work too, once they are granted. */
const SCALED = [
  { group: "apps", plural: "deployments", made: "by users or controllers" },
  { group: "apps", plural: "statefulsets", made: "by users or controllers" },
  { group: "leaderworkerset.x-k8s.io", plural: "leaderworkersets", made: "by users or controllers" },
  { group: "disaggregatedset.x-k8s.io", plural: "disaggregatedsetrolescalers", made: "to be scaled" },
  { group: "workloads.x-k8s.io", plural: "rolebasedgroupscalingadapters", made: "to be scaled" },
  { group: "nvidia.com", plural: "dynamographdeploymentscalingadapters", made: "to be scaled" },
  { group: "grove.io", plural: "podcliquescalinggroups", made: "to be scaled" },
] as const;

export const GRANTS: readonly Grant[] = [
  { group: "", resource: "pods", verbs: ["list", "watch"], for: "see" },
  ...SCALED.map(({ group, plural }): Grant => ({ group, resource: `${plural}/scale`, verbs: ["get"], for: "see" })),
  ...PART_KINDS.map(({ group, plural }): Grant => ({ group, resource: plural, verbs: ["get"], for: "see" })),
  ...SCALED.map(({ group, plural }): Grant => ({ group, resource: `${plural}/scale`, verbs: ["patch"], for: "act" })),
  ...PART_KINDS.map(({ group, plural }): Grant => ({ group, resource: plural, verbs: ["patch"], for: "act-on-components" })),
  { group: "", resource: "pods", verbs: ["patch"], for: "choose-victims" },
  { group: "apps", resource: "deployments", verbs: ["patch"], for: "roll-out-limits" },
  // Whether a controller owns it, and would undo what we do.
  ...SCALED.filter(({ made }) => made !== "to be scaled").map(({ group, plural }): Grant => ({
    group,
    resource: plural,
    verbs: ["get"],
    for: "act",
  })),
  // Whether another one scales it already.
  { group: "autoscaling", resource: "horizontalpodautoscalers", verbs: ["list"], for: "act" },
  { group: "keda.sh", resource: "scaledobjects", verbs: ["list"], for: "act" },
  { group: "autoscaling.aibrix.ai", resource: "podautoscalers", verbs: ["list"], for: "act" },
  { group: "workload.serving.volcano.sh", resource: "autoscalingpolicybindings", verbs: ["list"], for: "act" },
  { group: "fulcrum.dev", resource: "scalingpolicies", verbs: ["list", "watch"], for: "tell" },
  { group: "fulcrum.dev", resource: "scalingpolicies/status", verbs: ["patch"], for: "tell" },
  { group: "events.k8s.io", resource: "events", verbs: ["create", "patch"], for: "tell" },
  { group: "authentication.k8s.io", resource: "tokenreviews", verbs: ["create"], for: "admit" },
  { group: "coordination.k8s.io", resource: "leases", verbs: ["create", "get", "update"], for: "lead" },
  // What the leader has learned, for its successor, and what operators have said about modes.
  { group: "", resource: "configmaps", verbs: ["create", "get", "update"], for: "lead" },
];
