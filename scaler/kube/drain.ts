import type { Pod } from "./objects.ts";

/** Seconds for which a vLLM prefill engine keeps the KV blocks of a request that nobody has fetched yet, unless told otherwise. */
const KV_LEASE = 30;
/** What Kubernetes gives a pod that says nothing. */
const GRACE = 30;

/**
 * Why a vLLM prefill pod that goes could take KV with it that decode still has to fetch: what is to be fetched lives as long as its
 * lease, and the pod as long as its grace period. Undefined = it could not, or the pods do not say that they transfer KV so.
 */
export function drainProblem(pods: readonly Pod[]): string | undefined {
  for (const { spec } of pods) {
    const lease = leaseOf(spec.containers);
    const grace = spec.terminationGracePeriodSeconds ?? GRACE;
    if (lease === undefined || grace > lease) continue;
    return `prefill pods end ${grace} s after they are asked to, their KV lease lasts ${lease} s: raise terminationGracePeriodSeconds above it, or requests that wait for their KV fail when prefill shrinks`;
  }
  return undefined;
}

/** `kv_lease_duration` of vLLM's `--kv-transfer-config`, which is JSON among the arguments. */
function leaseOf(containers: Pod["spec"]["containers"]): number | undefined {
  for (const { args, command } of containers) {
    const text = [...command, ...args].join(" ");
    if (!text.includes("kv-transfer-config")) continue;
    const found = /"kv_lease_duration"\s*:\s*(\d+(?:\.\d+)?)/.exec(text);
    return found === null ? KV_LEASE : Number(found[1]);
  }
  return undefined;
}
