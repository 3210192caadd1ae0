import type { GpuHolders } from "../../core/kubelet/gpu-holders.ts";
import type { Role } from "../../core/pool.ts";
import type { EngineTarget } from "../../core/targets.ts";
import type { GpuDetail } from "./gpus.ts";

/** Whose a GPU is, as far as it is known. */
export interface Holder {
  readonly pod?: string;
  readonly pool?: string;
  readonly role?: Role;
}

/**
 * By the pod's name where the page has it; else by the processes that run on it, which is who computes there; else by what the kubelet gave
 * away, which also knows who holds a GPU and does nothing. A GPU that several pods share belongs to their pool, if it is one and the same:
 * its counters cannot be divided among them. A pod that serves nothing keeps its name and has no pool.
 */
export function holderOf(sample: GpuDetail, targets: readonly EngineTarget[], holders: GpuHolders): Holder {
  const { pod, namespace, podUids } = sample;
  if (pod !== undefined && pod !== "") {
    const own = targets.find((t) => t.pod === pod && (namespace === undefined || namespace === "" || namespace === t.namespace));
    return own === undefined ? { pod } : { pod, pool: own.pool, role: own.role };
  }
  const computing = targets.filter((target) => target.uid !== undefined && podUids?.includes(target.uid) === true);
  if (computing.length > 0) return shared(computing.length, computing);
  const given = holders.of(sample);
  const serving = targets.filter((t) => given.some((g) => g.pod === t.pod && g.namespace === t.namespace));
  const [only] = given;
  if (given.length === 1 && serving.length === 0 && only !== undefined) return { pod: only.pod };
  return shared(given.length, serving);
}

function shared(pods: number, serving: readonly EngineTarget[]): Holder {
  const [first] = serving;
  // One of them is none of ours: whose the figures are cannot be said.
  if (first === undefined || serving.length < pods) return {};
  if (pods === 1) return { pod: first.pod, pool: first.pool, role: first.role };
  const same = serving.every((t) => t.pool === first.pool && t.namespace === first.namespace);
  return same ? { pool: first.pool, role: first.role } : {};
}
