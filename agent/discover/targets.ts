import { type Unattributed, attribute } from "../../core/discover/attribute.ts";
import { type Merged, mergeTargets } from "../../core/discover/merge.ts";
import type { TargetsFile } from "../../core/targets.ts";
import { LIMITS } from "../../wire/messages.ts";
import type { NodePods } from "./pod-watch.ts";

const MERGE_LIMITS = { engines: 512, pools: LIMITS.poolsPerReport, replicasPerPool: LIMITS.replicasPerPool, gpuPages: 16 };
/** Unattributed pods that are named; the metric counts all of them. */
const MAX_NAMED = 200;

/** Everything the agent reads on this node, out of what its sources say now. */
export function targetsOf(node: string, file: TargetsFile | undefined, found: NodePods | undefined): Merged {
  const merged = mergeTargets(node, file, (found?.pods ?? []).map(attribute), MERGE_LIMITS);
  const unreadable = [...(found?.unreadable ?? [])].map(([key, why]): Unattributed => {
    const [namespace = "", pod = ""] = key.split("/");
    return { namespace, pod, reason: "unreadable", detail: `its object cannot be read: ${why}` };
  });
  return { ...merged, unattributed: [...merged.unattributed, ...unreadable] };
}

/** What the agent reads and what it cannot place, for people: GET /targets. */
export const targetsPage = ({ targets, unattributed, conflicts }: Merged): string =>
  `${JSON.stringify({ ...targets, unattributed: unattributed.slice(0, MAX_NAMED), unattributedTotal: unattributed.length, conflicts }, undefined, 2)}\n`;
