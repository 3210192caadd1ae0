import { z } from "zod";
import { partProblems } from "./kube-models.ts";
import type { KubeApiServer } from "./kube-api/server.ts";
import { at } from "./kube-api/patch.ts";
import type { Fields, Json, KubeObject } from "./kube-api/store.ts";
import type { KubeObject as Manifest } from "./manifests.ts";

/** What the operators of the stacks in deploy/examples make of its manifests: the pods of each role, and where its count stands. */
export interface Role {
  readonly role: "prefill" | "decode";
  /** The object and the path in it that hold the count, as a policy changes it. */
  readonly count: { readonly resource: string; readonly name: string; readonly path: string };
  /** What the operator makes beside it, to be scaled in its place. */
  readonly adapter?: { readonly apiVersion: string; readonly kind: string; readonly spec: Fields };
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly owner: { readonly kind: string; readonly name: string };
  readonly spec: Fields;
}

const template = z.strictObject({
  metadata: z
    .strictObject({ labels: z.record(z.string(), z.string()), annotations: z.record(z.string(), z.string()).optional() })
    .optional(),
  spec: z.custom<Fields>(),
});
const metadata = z.strictObject({ name: z.string(), namespace: z.string() });

/** Fields as the kinds' published CRDs have them, those that the examples use and no other. */
const graph = z.strictObject({
  ...{ apiVersion: z.literal("nvidia.com/v1beta1"), kind: z.literal("DynamoGraphDeployment"), metadata },
  spec: z.strictObject({
    components: z.array(
      z.strictObject({
        ...{ name: z.string(), type: z.enum(["frontend", "worker", "prefill", "decode", "planner", "epp"]), replicas: z.int() },
        ...{ scalingAdapter: z.strictObject({}).optional(), podTemplate: template },
      }),
    ),
  }),
});
const group = z.strictObject({
  ...{ apiVersion: z.literal("workloads.x-k8s.io/v1alpha2"), kind: z.literal("RoleBasedGroup"), metadata },
  spec: z.strictObject({
    roles: z.array(
      z.strictObject({
        ...{ name: z.string(), replicas: z.int(), scalingAdapter: z.strictObject({ enable: z.boolean() }) },
        standalonePattern: z.strictObject({ template }),
      }),
    ),
  }),
});
const pool = { replicas: z.int(), template: z.custom<Fields>() };
const service = z.strictObject({
  ...{ apiVersion: z.literal("serving.kserve.io/v1alpha2"), kind: z.literal("LLMInferenceService"), metadata },
  spec: z.strictObject({
    model: z.strictObject({ uri: z.string(), name: z.string() }),
    router: z.strictObject({ route: z.strictObject({}), gateway: z.strictObject({}), scheduler: z.strictObject({}) }),
    ...pool,
    prefill: z.strictObject(pool),
  }),
});
const deployment = z.looseObject({
  ...{ kind: z.literal("Deployment"), metadata: z.object({ name: z.string() }) },
  spec: z.looseObject({ template: z.looseObject({ metadata: template.shape.metadata, spec: z.custom<Fields>() }) }),
});

/** Unknown fields and wrong types of an object of one of the stacks' own kinds; undefined: it is of none of them. */
export function stackProblems(object: Manifest): readonly string[] | undefined {
  const schema = [graph, group, service].find((s) => s.shape.kind.value === object.kind);
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(object);
  if (!parsed.success) return parsed.error.issues.map((issue) => `${object.kind}: ${issue.path.join(".")}: ${issue.message}`);
  return podSpecs(parsed.data).flatMap((spec) => partProblems(spec, "V1PodSpec", object.kind));
}

function podSpecs(object: z.output<typeof graph> | z.output<typeof group> | z.output<typeof service>): readonly unknown[] {
  if (object.kind === "DynamoGraphDeployment") return object.spec.components.map((c) => c.podTemplate.spec);
  if (object.kind === "RoleBasedGroup") return object.spec.roles.map((r) => r.standalonePattern.template.spec);
  return [object.spec.template, object.spec.prefill.template];
}

export function rolesOf(objects: readonly Manifest[]): readonly Role[] {
  return objects.flatMap((object): readonly Role[] => {
    if (object.kind === "Deployment") return [ofDeployment(deployment.parse(object))];
    if (object.kind === "DynamoGraphDeployment") return ofGraph(graph.parse(object));
    if (object.kind === "RoleBasedGroup") return ofGroup(group.parse(object));
    return object.kind === "LLMInferenceService" ? ofService(service.parse(object)) : [];
  });
}

const roleIn = (name: string): Role["role"] => (/prefill/i.test(name) ? "prefill" : "decode");

/** A Deployment's pods belong to a ReplicaSet, whose hash they carry. */
function ofDeployment({ metadata: { name }, spec }: z.output<typeof deployment>): Role {
  return {
    role: roleIn(name),
    count: { resource: "deployments.apps", name, path: "spec.replicas" },
    labels: { ...spec.template.metadata?.labels, "pod-template-hash": "5d4f8c7b9" },
    annotations: spec.template.metadata?.annotations ?? {},
    owner: { kind: "ReplicaSet", name: `${name}-5d4f8c7b9` },
    spec: spec.template.spec,
  };
}

function ofGraph({ apiVersion, metadata: { name }, spec }: z.output<typeof graph>): readonly Role[] {
  return spec.components.flatMap((component): readonly Role[] => {
    if (component.type !== "prefill" && component.type !== "decode") return [];
    const adapter = `${name}-${component.name.toLowerCase()}`;
    return [
      {
        role: component.type,
        count: { resource: "dynamographdeploymentscalingadapters.nvidia.com", name: adapter, path: "spec.replicas" },
        adapter: {
          ...{ apiVersion, kind: "DynamoGraphDeploymentScalingAdapter" },
          spec: { replicas: component.replicas, dgdRef: { name, componentName: component.name } },
        },
        labels: {
          ...{ "nvidia.com/dynamo-graph-deployment-name": name, "nvidia.com/dynamo-component": component.name },
          "nvidia.com/dynamo-component-type": component.type,
        },
        annotations: {},
        owner: { kind: "ReplicaSet", name: `${adapter}-5d4f8c7b9` },
        spec: component.podTemplate.spec,
      },
    ];
  });
}

function ofGroup({ apiVersion, metadata: { name }, spec }: z.output<typeof group>): readonly Role[] {
  return spec.roles.map((role) => ({
    role: roleIn(role.name),
    count: { resource: "rolebasedgroupscalingadapters.workloads.x-k8s.io", name: `${name}-${role.name}`, path: "spec.replicas" },
    adapter: {
      ...{ apiVersion, kind: "RoleBasedGroupScalingAdapter" },
      spec: { replicas: role.replicas, scaleTargetRef: { name, role: role.name } },
    },
    labels: {
      ...role.standalonePattern.template.metadata?.labels,
      ...{ "rbg.workloads.x-k8s.io/group-name": name, "rbg.workloads.x-k8s.io/role-name": role.name },
    },
    annotations: {},
    owner: { kind: "RoleInstanceSet", name: `${name}-${role.name}` },
    spec: role.standalonePattern.template.spec,
  }));
}

/** KServe merges its own configuration into the template: of it only what starts the engine matters here. */
function ofService({ metadata: { name }, spec }: z.output<typeof service>): readonly Role[] {
  const started = (own: Fields, port: number): Fields => {
    const [main = {}, ...others] = own["containers"] as readonly Fields[];
    const command = ["vllm", "serve", "/mnt/models", "--served-model-name", spec.model.name, "--port", String(port)];
    return { ...own, containers: [{ image: "ghcr.io/llm-d/llm-d-cuda:v0.3.0", ...main, command }, ...others] };
  };
  const of = (role: Role["role"], path: string, suffix: string, own: Fields, port: number): Role => ({
    role,
    count: { resource: "llminferenceservices.serving.kserve.io", name, path },
    labels: {
      ...{ "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "llminferenceservice", "llm-d.ai/role": role },
      "pod-template-hash": "5d4f8c7b9",
    },
    annotations: {},
    owner: { kind: "ReplicaSet", name: `${name}-kserve${suffix}-5d4f8c7b9` },
    spec: started(own, port),
  });
  // The decode pod's port 8000 is the routing sidecar's.
  return [
    of("decode", "spec.replicas", "", spec.template, 8001),
    of("prefill", "spec.prefill.replicas", "-prefill", spec.prefill.template, 8000),
  ];
}

/** Runs the roles on an API server: adapters, pods for each count, more of them when it grows. */
export function operate(server: KubeApiServer, namespace: string, roles: readonly Role[]): { pods(role: Role): readonly KubeObject[] } {
  const { store } = server;
  const selector = ({ labels }: Role): string =>
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
  const pods = (role: Role): readonly KubeObject[] =>
    store.list("pods.", namespace).filter((pod) => (pod.metadata["ownerReferences"] as readonly Fields[])[0]?.["name"] === role.owner.name);
  const made = new Map<Role, number>();

  function reconcile(role: Role): void {
    const object = store.get(role.count.resource, namespace, role.count.name);
    const wanted = Number(at(object, role.count.path) ?? 0);
    for (let missing = wanted - pods(role).length; missing > 0; missing--) {
      const index = made.get(role) ?? 0;
      made.set(role, index + 1);
      store.create("pods.", podOf(role, namespace, index));
    }
    for (const pod of pods(role).slice(wanted)) store.delete("pods.", namespace, pod.metadata.name);
  }

  for (const role of roles) {
    const { adapter, count } = role;
    if (adapter !== undefined) {
      const { apiVersion, kind, spec } = adapter;
      const status = { replicas: Number(spec["replicas"]), selector: selector(role) };
      store.create(count.resource, { apiVersion, kind, metadata: { name: count.name, namespace }, spec, status });
    }
    reconcile(role);
  }
  store.listen((event) => {
    for (const role of roles)
      if (event.resource === role.count.resource && event.type === "MODIFIED" && event.object.metadata.name === role.count.name)
        queueMicrotask(() => reconcile(role));
  });
  return { pods };
}

function podOf(
  { labels, annotations, owner, spec }: Role,
  namespace: string,
  index: number,
): Fields & { readonly metadata: Fields } & Pick<KubeObject, "apiVersion" | "kind"> {
  const controller: Json = { ...owner, apiVersion: "apps/v1", controller: true, uid: "1" };
  return {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: {
      name: `${owner.name}-${index}`,
      namespace,
      labels: { ...labels },
      annotations: { ...annotations },
      ownerReferences: [controller],
    },
    spec: { nodeName: "gpu-1", ...spec },
    status: {
      ...{ phase: "Running", podIP: `10.0.0.${10 + index}` },
      conditions: [
        { type: "PodScheduled", status: "True" },
        { type: "Ready", status: "True" },
      ],
    },
  };
}
