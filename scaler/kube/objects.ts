import { z } from "zod";

/** The fields we read of the objects we read; whatever else they have is ignored. */
const owner = z.object({ apiVersion: z.string(), kind: z.string(), name: z.string(), controller: z.boolean().optional() });

const metadata = z.object({
  name: z.string(),
  resourceVersion: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  ownerReferences: z.array(owner).optional(),
});

/** autoscaling/v1 Scale: what every scalable kind looks like through its scale subresource. */
export const scaleSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.object({ replicas: z.number().int().nonnegative().default(0) }).prefault({}),
  status: z.object({ replicas: z.number().int().nonnegative().default(0), selector: z.string().optional() }).prefault({}),
});
export type Scale = z.output<typeof scaleSchema>;

const container = z.object({ command: z.array(z.string()).default([]), args: z.array(z.string()).default([]) });

export const podSchema = z.object({
  metadata,
  spec: z.object({ terminationGracePeriodSeconds: z.number().optional(), containers: z.array(container).default([]) }).prefault({}),
  status: z
    .object({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional(),
      containerStatuses: z
        .array(z.object({ state: z.object({ waiting: z.object({ reason: z.string().optional() }).optional() }).optional() }))
        .optional(),
    })
    .prefault({}),
});
export type Pod = z.output<typeof podSchema>;

export const ownedSchema = z.object({ metadata });

export const leaseSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .prefault({}),
});

export const namedListSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }), spec: z.unknown() })) });

const scalingRef = z.object({ apiVersion: z.string().optional(), kind: z.string().optional(), name: z.string() });
/** What an autoscaler's spec points at; the role is named where it scales one only. */
export type ScalingRef = z.output<typeof scalingRef> & { readonly role: string | undefined };
const scaling = z.object({
  scaleTargetRef: scalingRef.optional(),
  targetRef: scalingRef.optional(),
  subTargetSelector: z.object({ roleName: z.string().optional() }).optional(),
  subTargets: z.object({ name: z.string().optional() }).optional(),
});
/** Autoscalers nest their targets a few levels deep; no object is deeper than this. */
const MAX_DEPTH = 8;

/** Every reference to something scaled, wherever in the spec it stands: autoscalers agree on its name only. */
export function scalingRefsIn(spec: unknown, depth = 0): readonly ScalingRef[] {
  if (typeof spec !== "object" || spec === null || depth > MAX_DEPTH) return [];
  const parsed = Array.isArray(spec) ? undefined : scaling.safeParse(spec).data;
  const ref = parsed?.scaleTargetRef ?? parsed?.targetRef;
  const role = parsed?.subTargetSelector?.roleName ?? parsed?.subTargets?.name;
  const own = ref === undefined ? [] : [{ ...ref, role }];
  return [...own, ...Object.values(spec).flatMap((inner) => scalingRefsIn(inner, depth + 1))];
}

export const resourceListSchema = z.object({
  resources: z.array(z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});
export const groupSchema = z.object({ versions: z.array(z.object({ groupVersion: z.string() })) });

export const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});
export const eventSchema = z.object({ type: z.string(), object: z.unknown() });
export const statusSchema = z.object({ code: z.number().optional(), message: z.string().optional() });
export const versionedSchema = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
