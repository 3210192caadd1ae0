import type { KeptFields } from "./prune.ts";

/** A kind the server serves. Scale paths of custom kinds are those their published CRDs declare. */
export interface ServedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly status: boolean;
  /** It stands in no namespace. */
  readonly clusterScoped?: true;
  readonly scale?: { readonly spec: string; readonly status: string; readonly selector: string };
  /** Of a definition that was installed; undefined = whatever is written is kept. */
  readonly schema?: KeptFields;
}

const apps = { spec: "spec.replicas", status: "status.replicas", selector: "spec.selector" };
const custom = (selector: string) => ({ spec: "spec.replicas", status: "status.replicas", selector });

const served = (apiVersion: string, kind: string, plural: string, scale?: ServedKind["scale"]): ServedKind => {
  const [group, version] = apiVersion.includes("/") ? (apiVersion.split("/") as [string, string]) : ["", apiVersion];
  return { group, version, kind, plural, status: true, ...(scale === undefined ? {} : { scale }) };
};

const ofCluster = (apiVersion: string, kind: string, plural: string): ServedKind => ({
  ...served(apiVersion, kind, plural),
  clusterScoped: true,
});

/** Kinds that only manifests use. */
export const MANIFEST_KINDS: readonly ServedKind[] = [
  served("v1", "ServiceAccount", "serviceaccounts"),
  served("v1", "Service", "services"),
  served("v1", "Secret", "secrets"),
  served("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
  served("apps/v1", "DaemonSet", "daemonsets"),
  served("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
  served("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
  served("rbac.authorization.k8s.io/v1", "Role", "roles"),
  served("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
  ofCluster("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles"),
  ofCluster("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
  served("cert-manager.io/v1", "Issuer", "issuers"),
  served("cert-manager.io/v1", "Certificate", "certificates"),
  served("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
  served("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
  served("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
];

/** What a plain cluster serves, before anybody installs operators. */
export const BUILT_IN_GROUPS = new Set([
  ...["", "apps", "autoscaling", "coordination.k8s.io", "events.k8s.io"],
  ...["authentication.k8s.io", "authorization.k8s.io", "apiextensions.k8s.io"],
]);

export const KINDS: readonly ServedKind[] = [
  served("v1", "Pod", "pods"),
  served("v1", "Event", "events"),
  served("v1", "ConfigMap", "configmaps"),
  ofCluster("v1", "Namespace", "namespaces"),
  served("events.k8s.io/v1", "Event", "events"),
  served("fulcrum.dev/v1alpha1", "ScalingPolicy", "scalingpolicies"),
  served("resource.k8s.io/v1beta1", "ResourceSlice", "resourceslices"),
  served("apps/v1", "Deployment", "deployments", apps),
  served("apps/v1", "StatefulSet", "statefulsets", apps),
  served("coordination.k8s.io/v1", "Lease", "leases"),
  ofCluster("authentication.k8s.io/v1", "TokenReview", "tokenreviews"),
  ofCluster("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
  ofCluster("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"),
  served("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
  served("keda.sh/v1alpha1", "ScaledObject", "scaledobjects"),
  served("autoscaling.aibrix.ai/v1alpha1", "PodAutoscaler", "podautoscalers"),
  served("workload.serving.volcano.sh/v1alpha1", "AutoscalingPolicyBinding", "autoscalingpolicybindings"),
  served("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "leaderworkersets", custom("status.hpaPodSelector")),
  served("disaggregatedset.x-k8s.io/v1", "DisaggregatedSet", "disaggregatedsets"),
  served("disaggregatedset.x-k8s.io/v1", "DisaggregatedSetRoleScaler", "disaggregatedsetrolescalers", custom("status.selector")),
  served("workloads.x-k8s.io/v1alpha2", "RoleBasedGroup", "rolebasedgroups"),
  served("workloads.x-k8s.io/v1alpha1", "RoleBasedGroup", "rolebasedgroups"),
  served("workloads.x-k8s.io/v1alpha2", "RoleBasedGroupScalingAdapter", "rolebasedgroupscalingadapters", custom("status.selector")),
  served("nvidia.com/v1beta1", "DynamoGraphDeployment", "dynamographdeployments"),
  served("nvidia.com/v1alpha1", "DynamoGraphDeployment", "dynamographdeployments"),
  served("nvidia.com/v1beta1", "DynamoGraphDeploymentScalingAdapter", "dynamographdeploymentscalingadapters", custom("status.selector")),
  served("grove.io/v1alpha1", "PodCliqueScalingGroup", "podcliquescalinggroups", custom("status.selector")),
  served("grove.io/v1alpha1", "PodCliqueSet", "podcliquesets", custom("status.hpaPodSelector")),
  served("orchestration.aibrix.ai/v1alpha1", "StormService", "stormservices", custom("status.scalingTargetSelector")),
  served("workload.serving.volcano.sh/v1alpha1", "ModelServing", "modelservings", custom("status.labelSelector")),
  served("serving.kserve.io/v1alpha2", "LLMInferenceService", "llminferenceservices"),
  served("serving.kserve.io/v1alpha1", "LLMInferenceService", "llminferenceservices"),
  served("arks.ai/v1", "ArksDisaggregatedApplication", "arksdisaggregatedapplications"),
];
