export type Role = "prefill" | "decode";
export const ROLES = ["prefill", "decode"] as const;
type Labels = Readonly<Record<string, string>>;
type Body = Readonly<Record<string, unknown>>;

/**
 * A kind as an operator of it sees one: what users write, where each role's count stands, what its pods are labelled with. Written
 * from the kinds' published types and not from the product's own table, which it is to check.
 */
export interface Shape {
  readonly title: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Its roles are components of one object; else each role is an object `NAME-ROLE` of its own. */
  readonly components?: Readonly<Record<Role, string>>;
  /** Of its scale subresource: where the operator tells the selector. */
  readonly selector?: string;
  /** Served by every cluster. */
  readonly builtIn?: boolean;
  spec(counts: Readonly<Record<Role, number>>, role: Role): Body;
  wanted(spec: Body, role: Role): unknown;
  labels(name: string, role: Role): Labels;
  /** Labels of the pods of one replica, where it has several. */
  readonly group?: { readonly size: number; labels(name: string, role: Role, index: number, worker: number): Labels };
}

/** An image that just waits. */
const IMAGE = process.env["FULCRUM_TEST_IMAGE"] ?? "registry.k8s.io/pause:3.10";
export const podSpec = { terminationGracePeriodSeconds: 1, containers: [{ name: "engine", image: IMAGE }] };

/** Fields of users' that nobody but them may change. */
const users = (role: Role) => ({ env: [{ name: "POOL", value: role }], resources: { gpu: role === "prefill" ? 1 : 2 } });
const byName = (items: unknown, name: string): Body => (items as readonly Body[]).find((item) => item["name"] === name) ?? {};
const NAMES = { prefill: "prefill", decode: "decode" };

function scaled(apiVersion: string, kind: string, plural: string, selector: string, more: (role: Role) => Body = users): Shape {
  return {
    ...{ title: kind, apiVersion, kind, plural, selector },
    spec: (counts, role) => ({ replicas: counts[role], ...more(role) }),
    wanted: (spec) => spec["replicas"],
    labels: (name, role) => ({ app: name, role }),
  };
}

function app(kind: string, plural: string): Shape {
  const labels = (name: string, role: Role): Labels => ({ app: name, role });
  return {
    ...{ title: kind, apiVersion: "apps/v1", kind, plural, builtIn: true },
    spec: (counts, role) => ({
      ...{ replicas: counts[role], selector: { matchLabels: labels("NAME", role) } },
      ...(kind === "StatefulSet" ? { serviceName: "none", podManagementPolicy: "Parallel" } : {}),
      template: { metadata: { labels: labels("NAME", role) }, spec: podSpec },
    }),
    wanted: (spec) => spec["replicas"],
    labels,
  };
}

/** Roles in a list, by their names. */
function listed(
  apiVersion: string,
  kind: string,
  plural: string,
  path: readonly string[],
  labels: Shape["labels"],
  more: Body = {},
): Shape {
  const dig = (spec: Body): unknown => path.reduce<unknown>((inner, key) => (inner as Body)[key], spec);
  return {
    ...{ title: `${kind} (${apiVersion.split("/")[1] ?? ""})`, apiVersion, kind, plural, components: NAMES, labels },
    spec(counts) {
      const roles = [{ name: "router", replicas: 1 }, ...ROLES.map((role) => ({ name: role, replicas: counts[role], ...users(role) }))];
      return { ...more, ...(path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), roles) as Body) };
    },
    wanted: (spec, role) => byName(dig(spec), role)["replicas"],
  };
}

const rbg = (name: string, role: Role): Labels => ({
  "rbg.workloads.x-k8s.io/group-name": name,
  "rbg.workloads.x-k8s.io/role-name": role,
});

const dynamo = (name: string, role: Role): Labels => ({
  "nvidia.com/dynamo-graph-deployment-name": name,
  "nvidia.com/dynamo-component": role === "prefill" ? "VllmPrefillWorker" : "VllmDecodeWorker",
});
const WORKERS = { prefill: "VllmPrefillWorker", decode: "VllmDecodeWorker" };

const kserve = (version: string): Shape => ({
  ...{ title: `LLMInferenceService (${version})`, apiVersion: `serving.kserve.io/${version}`, kind: "LLMInferenceService" },
  ...{ plural: "llminferenceservices", components: NAMES },
  spec: ({ prefill, decode }) => ({
    ...{ model: { uri: "hf://example/model" }, replicas: decode, ...users("decode") },
    prefill: { replicas: prefill, ...users("prefill") },
  }),
  wanted: (spec, role) => (role === "decode" ? spec : (spec["prefill"] as Body))["replicas"],
  labels: (name, role) => ({
    ...{ "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "llminferenceservice" },
    ...{ "kserve.io/component": "workload", "llm-d.ai/role": role },
  }),
});

export const SHAPES: readonly Shape[] = [
  app("Deployment", "deployments"),
  app("StatefulSet", "statefulsets"),
  scaled("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "leaderworkersets", "hpaPodSelector", (role) => ({
    leaderWorkerTemplate: {
      size: 1,
      workerTemplate: { metadata: { labels: { app: "NAME", role } }, spec: { ...podSpec, nodeSelector: {} } },
    },
  })),
  scaled("disaggregatedset.x-k8s.io/v1", "DisaggregatedSetRoleScaler", "disaggregatedsetrolescalers", "selector"),
  scaled("workloads.x-k8s.io/v1alpha2", "RoleBasedGroupScalingAdapter", "rolebasedgroupscalingadapters", "selector"),
  scaled("nvidia.com/v1beta1", "DynamoGraphDeploymentScalingAdapter", "dynamographdeploymentscalingadapters", "selector"),
  scaled("grove.io/v1alpha1", "PodCliqueScalingGroup", "podcliquescalinggroups", "selector"),
  {
    ...{ title: "DynamoGraphDeployment (v1beta1)", apiVersion: "nvidia.com/v1beta1", kind: "DynamoGraphDeployment" },
    ...{ plural: "dynamographdeployments", components: WORKERS, labels: dynamo },
    spec: (counts) => ({
      components: [
        { name: "Frontend", type: "frontend", replicas: 1 },
        ...ROLES.map((role) => ({ name: WORKERS[role], type: role, replicas: counts[role], ...users(role) })),
      ],
    }),
    wanted: (spec, role) => byName(spec["components"], WORKERS[role])["replicas"],
  },
  {
    ...{ title: "DynamoGraphDeployment (v1alpha1)", apiVersion: "nvidia.com/v1alpha1", kind: "DynamoGraphDeployment" },
    ...{ plural: "dynamographdeployments", components: WORKERS, labels: dynamo },
    spec: ({ prefill, decode }) => ({
      services: {
        Frontend: { replicas: 1 },
        VllmPrefillWorker: { replicas: prefill, ...users("prefill") },
        VllmDecodeWorker: { replicas: decode, ...users("decode") },
      },
    }),
    wanted: (spec, role) => ((spec["services"] as Body)[WORKERS[role]] as Body)["replicas"],
  },
  listed("workloads.x-k8s.io/v1alpha2", "RoleBasedGroup", "rolebasedgroups", ["roles"], rbg),
  // An operator that serves both labels pods as it does for the newer one.
  listed("workloads.x-k8s.io/v1alpha1", "RoleBasedGroup", "rolebasedgroups", ["roles"], rbg),
  {
    ...{ title: "DisaggregatedSet (v1)", apiVersion: "disaggregatedset.x-k8s.io/v1", kind: "DisaggregatedSet" },
    ...{ plural: "disaggregatedsets", components: NAMES },
    spec: (counts) => ({
      slices: 1,
      roles: ROLES.map((role) => ({ name: role, scaling: { mode: "Static" }, spec: { replicas: counts[role], ...users(role) } })),
    }),
    wanted: (spec, role) => (byName(spec["roles"], role)["spec"] as Body)["replicas"],
    labels: (name, role) => ({ "disaggregatedset.x-k8s.io/name": name, "disaggregatedset.x-k8s.io/role": role }),
    group: {
      size: 2,
      labels: (name, role, index, worker) => ({
        "leaderworkerset.sigs.k8s.io/name": `${name}-0-abc123-${role}`,
        "leaderworkerset.sigs.k8s.io/group-index": String(index),
        "leaderworkerset.sigs.k8s.io/worker-index": String(worker),
      }),
    },
  },
  kserve("v1alpha2"),
  kserve("v1alpha1"),
  {
    ...listed(
      ...(["orchestration.aibrix.ai/v1alpha1", "StormService", "stormservices", ["template", "spec", "roles"]] as const),
      (name, role) => ({ "storm-service-name": name, "roleset-name": `${name}-roleset-x`, "role-name": role }),
      { replicas: 1 },
    ),
    group: {
      size: 2,
      labels: (_name, _role, index, worker) => ({
        "stormservice.orchestration.aibrix.ai/role-replica-index": String(index),
        "stormservice.orchestration.aibrix.ai/pod-group-index": String(worker),
      }),
    },
    selector: "scalingTargetSelector",
  },
  {
    ...listed(
      ...(["workload.serving.volcano.sh/v1alpha1", "ModelServing", "modelservings", ["template", "roles"]] as const),
      (name, role) => ({ "modelserving.volcano.sh/name": name, "modelserving.volcano.sh/role": role }),
      { replicas: 1 },
    ),
    group: {
      size: 2,
      labels: (name, role, index, worker) => ({
        ...{ "modelserving.volcano.sh/group-name": `${name}-0`, "modelserving.volcano.sh/role-id": `${role}-${index}` },
        ...(worker === 0 ? { "modelserving.volcano.sh/entry": "true" } : {}),
      }),
    },
    selector: "labelSelector",
  },
  {
    ...{ title: "ArksDisaggregatedApplication (v1)", apiVersion: "arks.ai/v1", kind: "ArksDisaggregatedApplication" },
    ...{ plural: "arksdisaggregatedapplications", components: NAMES },
    spec: ({ prefill, decode }) => ({
      ...{ runtime: "sglang", prefill: { replicas: prefill, ...users("prefill") } },
      ...{ decode: { replicas: decode, ...users("decode") } },
    }),
    wanted: (spec, role) => (spec[role] as Body)["replicas"],
    labels: (name, role) => ({ "arks.ai/application": name, "arks.ai/disaggregation-role": role }),
  },
];
