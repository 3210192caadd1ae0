import { z } from "zod";
import { err, type Result } from "../../core/result.ts";
import { policyFromJson } from "./load.ts";
import type { PolicyIssue } from "./problem.ts";
import { missingTargets } from "./rules.ts";
import type { Policy } from "./schema.ts";

/** A ScalingPolicy object as the API server holds it. */
export interface PolicyObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Counts changes of the spec; a status says which one it is about. */
  readonly generation: number;
  /** What it asks for, or everything that is wrong with it. */
  readonly policy: Result<Policy, readonly PolicyIssue[]>;
  /** As it stands, whoever wrote it. */
  readonly status: unknown;
  /** Somebody deleted it; a finalizer of another one's keeps it. It asks for nothing any more. */
  readonly deleting: boolean;
}

const objectSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    generation: z.number().default(0),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.unknown().optional(),
  status: z.unknown().optional(),
});

/** Undefined: not an object of a namespace. */
export function readPolicyObject(raw: unknown): PolicyObject | undefined {
  const parsed = objectSchema.safeParse(raw);
  if (!parsed.success) return undefined;
  const { metadata, spec, status } = parsed.data;
  const { namespace, name, uid, generation, deletionTimestamp } = metadata;
  return { namespace, name, uid, generation, policy: judge({ namespace, name }, spec), status, deleting: deletionTimestamp !== undefined };
}

/** The checks of a policy file. Of the metadata only the name counts: the rest changes with every status. */
function judge(metadata: { readonly namespace: string; readonly name: string }, spec: unknown): PolicyObject["policy"] {
  const parsed = policyFromJson({ apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", metadata, spec });
  if (!parsed.ok) return parsed;
  const untargeted = missingTargets(parsed.value);
  return untargeted.length > 0 ? err(untargeted) : parsed;
}
