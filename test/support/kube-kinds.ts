import { z } from "zod";
import { builtInModel, modelProblems, type KubeManifest } from "./kube-models.ts";

/** Strict schemas of the custom kinds we write: the fields we use, and no other. */
const labels = z.record(z.string(), z.string());
const metadata = z.strictObject({ name: z.string(), namespace: z.string(), labels: labels.optional() });
const selector = z.strictObject({ matchLabels: labels });
const duration = z.string().regex(/^\d+(s|m|h)$/);
const endpoint = z.strictObject({ port: z.string(), path: z.string(), interval: duration, honorLabels: z.boolean() });

const monitoring = { apiVersion: z.literal("monitoring.coreos.com/v1"), metadata };
const podMonitor = z.strictObject({
  ...monitoring,
  kind: z.literal("PodMonitor"),
  spec: z.strictObject({ selector, podMetricsEndpoints: z.array(endpoint) }),
});
const serviceMonitor = z.strictObject({
  ...monitoring,
  kind: z.literal("ServiceMonitor"),
  spec: z.strictObject({ selector, endpoints: z.array(endpoint) }),
});
const rule = z.union([
  z.strictObject({ record: z.string(), expr: z.string(), labels: labels.optional() }),
  z.strictObject({ alert: z.string(), expr: z.string(), for: duration.optional(), labels, annotations: labels }),
]);
const prometheusRule = z.strictObject({
  ...monitoring,
  kind: z.literal("PrometheusRule"),
  spec: z.strictObject({ groups: z.array(z.strictObject({ name: z.string(), interval: duration.optional(), rules: z.array(rule) })) }),
});

const certManager = { apiVersion: z.literal("cert-manager.io/v1"), metadata };
const issuer = z.strictObject({
  ...certManager,
  kind: z.literal("Issuer"),
  spec: z.union([z.strictObject({ selfSigned: z.strictObject({}) }), z.strictObject({ ca: z.strictObject({ secretName: z.string() }) })]),
});
const certificate = z.strictObject({
  ...certManager,
  kind: z.literal("Certificate"),
  spec: z.strictObject({
    isCA: z.boolean().optional(),
    commonName: z.string().optional(),
    secretName: z.string(),
    duration: duration.optional(),
    renewBefore: duration.optional(),
    dnsNames: z.array(z.string()).optional(),
    usages: z.array(z.enum(["server auth", "client auth"])).optional(),
    privateKey: z.strictObject({ algorithm: z.literal("ECDSA"), size: z.literal(256), rotationPolicy: z.literal("Always").optional() }),
    issuerRef: z.strictObject({ kind: z.literal("Issuer"), name: z.string() }),
  }),
});

const scalingRules = z.strictObject({
  stabilizationWindowSeconds: z.int(),
  policies: z.array(z.strictObject({ type: z.enum(["Percent", "Pods"]), value: z.int(), periodSeconds: z.int() })),
});
const scaledObject = z.strictObject({
  apiVersion: z.literal("keda.sh/v1alpha1"),
  kind: z.literal("ScaledObject"),
  metadata,
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
    pollingInterval: z.int(),
    minReplicaCount: z.int(),
    maxReplicaCount: z.int(),
    fallback: z.strictObject({
      failureThreshold: z.int(),
      behavior: z.enum(["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]),
      replicas: z.int(),
    }),
    advanced: z
      .strictObject({
        horizontalPodAutoscalerConfig: z.strictObject({ behavior: z.strictObject({ scaleUp: scalingRules, scaleDown: scalingRules }) }),
      })
      .optional(),
    triggers: z.array(
      z.strictObject({
        type: z.enum(["external", "external-push"]),
        metricType: z.literal("AverageValue"),
        // KEDA hands every value on as a string.
        metadata: labels,
      }),
    ),
  }),
});

const CUSTOM = [podMonitor, serviceMonitor, prometheusRule, issuer, certificate, scaledObject] as const;
export type ScaledObject = z.output<typeof scaledObject>;

/** Unknown fields, wrong types and unknown kinds of one object, as strict validation would find them. */
export function strictProblems(object: KubeManifest): string[] {
  if (builtInModel(object) !== undefined) return modelProblems(object);
  const schema = CUSTOM.find(({ shape }) => shape.kind.value === object.kind && shape.apiVersion.value === object.apiVersion);
  if (schema === undefined) return [`${object.apiVersion} ${object.kind}: not a kind that is known here`];
  const parsed = schema.safeParse(object);
  return parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${object.kind} ${object.metadata.name}: ${issue.path.join(".")}: ${issue.message}`);
}
