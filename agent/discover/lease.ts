import { z } from "zod";
import { type Result, err, ok } from "../../core/result.ts";
import type { KubeApi } from "./kube-api.ts";

/** Who leads, as the Lease of the scalers says it. */
export interface LeaseSeen {
  /** Changes with each renewal. */
  readonly version: string;
  /** Undefined = it was given back. */
  readonly holder: string | undefined;
  /** RFC 3339, by the holder's clock. */
  readonly since: string | undefined;
  readonly renewed: string | undefined;
}

/** missing: there is none; forbidden: this account may not look. */
export type LeaseAnswer = LeaseSeen | "missing" | "forbidden";

const schema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.object({ holderIdentity: z.string().nullish(), acquireTime: z.string().nullish(), renewTime: z.string().nullish() }).prefault({}),
});

export function leaseOf(value: unknown): Result<LeaseSeen, string> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return err("the answer is not a Lease");
  const { holderIdentity, acquireTime, renewTime } = parsed.data.spec;
  return ok({
    version: parsed.data.metadata.resourceVersion,
    holder: holderIdentity === null || holderIdentity === "" ? undefined : holderIdentity,
    since: acquireTime ?? undefined,
    renewed: renewTime ?? undefined,
  });
}

export async function readLease(api: KubeApi, namespace: string, name: string, signal: AbortSignal): Promise<Result<LeaseAnswer, string>> {
  const answer = await api.get(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`, {}, signal);
  if (answer.ok) return leaseOf(answer.value);
  const { status, message } = answer.error;
  if (status === 404) return ok("missing");
  return status === 403 ? ok("forbidden") : err(message);
}
