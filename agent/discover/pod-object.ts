import { z } from "zod";
import type { Container, Pod } from "../../core/discover/pod.ts";
import { type Result, err, ok } from "../../core/result.ts";

/** What is read of a Pod object of the API; whatever else it has is left out, and so are containers beyond what a pod sensibly has. */
const MAX_CONTAINERS = 32;

const texts = z.record(z.string(), z.string()).nullish();

const container = z.object({
  name: z.string(),
  image: z.string().nullish(),
  command: z.array(z.string()).nullish(),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string().nullish() })).nullish(),
  ports: z.array(z.object({ name: z.string().nullish(), containerPort: z.number().int() })).nullish(),
  resources: z.object({ limits: z.record(z.string(), z.union([z.string(), z.number()])).nullish() }).nullish(),
});

const pod = z.object({
  metadata: z.object({
    name: z.string().min(1),
    namespace: z.string().min(1),
    uid: z.string().max(64).nullish(),
    labels: texts,
    annotations: texts,
    creationTimestamp: z.string().nullish(),
    deletionTimestamp: z.string().nullish(),
    ownerReferences: z.array(z.object({ kind: z.string(), name: z.string(), controller: z.boolean().nullish() })).nullish(),
  }),
  spec: z.object({ containers: z.array(container) }),
  status: z
    .object({
      phase: z.string().nullish(),
      podIP: z.string().nullish(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish(),
    })
    .nullish(),
});

export function readPod(value: unknown): Result<Pod, string> {
  const parsed = pod.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return err(`${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "invalid"}`);
  }
  const { metadata, spec, status } = parsed.data;
  const owner = metadata.ownerReferences?.find((o) => o.controller === true);
  const made = Date.parse(metadata.creationTimestamp ?? "") / 1000;
  return ok({
    ...{ namespace: metadata.namespace, name: metadata.name, uid: metadata.uid ?? "" },
    ...{ labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} },
    createdAt: Number.isFinite(made) ? Math.max(0, made) : 0,
    deleting: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
    ended: status?.phase === "Succeeded" || status?.phase === "Failed",
    ready: status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false,
    ...(typeof status?.podIP === "string" && status.podIP !== "" && { ip: status.podIP }),
    ...(owner !== undefined && { owner: { kind: owner.kind, name: owner.name } }),
    containers: spec.containers.slice(0, MAX_CONTAINERS).map(containerOf),
  });
}

/** Whole GPUs, MIG slices and the renamed resources of shared ones (`nvidia.com/gpu.shared`), AMD's and Intel's alike. */
const GPU_RESOURCE = /^(nvidia\.com\/(gpu|mig-)|amd\.com\/gpu|gpu\.intel\.com\/)/;

function containerOf(c: z.output<typeof container>): Container {
  const env: Record<string, string> = {};
  for (const { name, value } of c.env ?? []) if (typeof value === "string") env[name] = value;
  const limits = Object.entries(c.resources?.limits ?? {});
  return {
    ...{ name: c.name, image: c.image ?? "", env },
    words: [...(c.command ?? []), ...(c.args ?? [])],
    ports: (c.ports ?? []).map(({ name, containerPort: port }) => (typeof name === "string" ? { name, port } : { port })),
    gpus: limits.filter(([name]) => GPU_RESOURCE.test(name)).reduce((sum, [, count]) => sum + (Number(count) || 0), 0),
  };
}
