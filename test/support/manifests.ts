import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

const root = fileURLToPath(new URL("../..", import.meta.url));

const labels = z.record(z.string(), z.string());

const envVariable = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.unknown().optional(),
});

const probe = z.object({
  httpGet: z.object({ path: z.string(), port: z.union([z.string(), z.number()]), scheme: z.string().optional() }),
});

const container = z.object({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(envVariable),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  livenessProbe: probe,
  readinessProbe: probe,
  resources: z.object({ requests: z.record(z.string(), z.string()), limits: z.record(z.string(), z.string()) }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.boolean(),
    readOnlyRootFilesystem: z.boolean(),
    privileged: z.boolean().optional(),
    capabilities: z.object({ drop: z.array(z.string()), add: z.array(z.string()).optional() }),
  }),
  volumeMounts: z
    .array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional(), subPath: z.string().optional() }))
    .default([]),
});

const podSpec = z.object({
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.boolean(),
  enableServiceLinks: z.boolean(),
  hostPID: z.boolean().optional(),
  hostNetwork: z.boolean().optional(),
  hostIPC: z.boolean().optional(),
  affinity: z
    .object({
      nodeAffinity: z.object({
        requiredDuringSchedulingIgnoredDuringExecution: z.object({
          nodeSelectorTerms: z.array(
            z.object({
              matchExpressions: z.array(z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()).optional() })),
            }),
          ),
        }),
      }),
    })
    .optional(),
  tolerations: z.array(z.object({ key: z.string().optional(), operator: z.string(), effect: z.string().optional() })).optional(),
  securityContext: z.object({
    runAsNonRoot: z.boolean(),
    runAsUser: z.number(),
    seccompProfile: z.object({ type: z.string() }),
    fsGroup: z.number().optional(),
  }),
  containers: z.array(container),
  runtimeClassName: z.string().optional(),
  volumes: z
    .array(
      z.looseObject({
        name: z.string(),
        configMap: z.object({ name: z.string(), optional: z.boolean().optional() }).optional(),
        secret: z
          .object({
            secretName: z.string(),
            optional: z.boolean().optional(),
            items: z.array(z.object({ key: z.string(), path: z.string() })).optional(),
          })
          .optional(),
      }),
    )
    .default([]),
});

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional(), labels: labels.optional() }),
});

const workloadSchema = objectSchema.extend({
  spec: z.looseObject({
    replicas: z.number().optional(),
    strategy: z.object({ type: z.string() }).optional(),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels, annotations: labels }),
      spec: podSpec,
    }),
  }),
});

const serviceSchema = objectSchema.extend({
  spec: z.looseObject({
    selector: labels,
    clusterIP: z.string().optional(),
    internalTrafficPolicy: z.string().optional(),
    ports: z.array(z.object({ name: z.string(), port: z.number(), targetPort: z.union([z.string(), z.number()]) })),
  }),
});

const roleSchema = objectSchema.extend({
  rules: z.array(
    z.object({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
    }),
  ),
});

const bindingSchema = objectSchema.extend({
  roleRef: z.object({ apiGroup: z.string(), kind: z.string(), name: z.string() }),
  subjects: z.array(z.object({ kind: z.string(), name: z.string(), namespace: z.string() })),
});

const configMapSchema = objectSchema.extend({ data: labels });

export type KubeObject = z.infer<typeof objectSchema>;
export type Workload = z.infer<typeof workloadSchema>;

/** What `kubectl kustomize` makes of a folder under deploy/, read strictly where we rely on it. */
export interface Manifests {
  readonly all: readonly KubeObject[];
  readonly workloads: readonly Workload[];
  readonly services: readonly z.infer<typeof serviceSchema>[];
  readonly roles: readonly z.infer<typeof roleSchema>[];
  readonly bindings: readonly z.infer<typeof bindingSchema>[];
  readonly configMaps: readonly z.infer<typeof configMapSchema>[];
}

/** Every object that `kubectl kustomize` makes; `folder` lies under deploy/, or is an absolute path. */
export function kustomized(kubectl: string, folder: string): readonly KubeObject[] {
  const text = execFileSync(kubectl, ["kustomize", resolve(root, "deploy", folder)], { cwd: root, encoding: "utf8" });
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  const problems = documents.flatMap((document) => document.errors);
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.message).join("\n"));
  return documents.map((document) => objectSchema.parse(document.toJS()));
}

/** The same, with what we rely on of our own workloads. */
export function kustomize(kubectl: string, folder: string): Manifests {
  const all = kustomized(kubectl, folder);
  const of = <T>(schema: z.ZodType<T>, ...kinds: string[]): T[] =>
    all.filter((object) => kinds.includes(object.kind)).map((object) => schema.parse(object));
  return {
    all,
    workloads: of(workloadSchema, "Deployment", "DaemonSet"),
    services: of(serviceSchema, "Service"),
    roles: of(roleSchema, "Role", "ClusterRole"),
    bindings: of(bindingSchema, "RoleBinding", "ClusterRoleBinding"),
    configMaps: of(configMapSchema, "ConfigMap"),
  };
}
