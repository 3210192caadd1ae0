import { poolKey } from "../pool.ts";
import type { EngineTarget, TargetsFile } from "../targets.ts";
import type { Attribution, Unattributed } from "./attribute.ts";

/** Most of what one report can hold; what is beyond is told, not read. */
export interface TargetLimits {
  readonly engines: number;
  readonly pools: number;
  readonly replicasPerPool: number;
  readonly gpuPages: number;
}

export interface Merged {
  readonly targets: TargetsFile;
  readonly unattributed: readonly Unattributed[];
  /** Pods that the targets file describes in another way than their own labels do. */
  readonly conflicts: readonly string[];
}

/**
 * Discovered pods beside the targets file, which wins where both know a pod: somebody wrote it on purpose. A pool has one role, model and
 * engine; of pods that disagree the older ones keep it, the file's before all.
 */
export function mergeTargets(node: string, file: TargetsFile | undefined, found: readonly Attribution[], limits: TargetLimits): Merged {
  const engines: EngineTarget[] = [...(file?.engines ?? [])];
  const unattributed: Unattributed[] = found.flatMap((a) => (a.kind === "unattributed" ? [a.problem] : []));
  const conflicts: string[] = [];
  const listed = new Map(engines.map((e) => [`${e.namespace}/${e.pod}`, e]));
  const pools = new Map<string, { readonly identity: string; replicas: number }>();
  const join = (target: EngineTarget): Pick<Unattributed, "reason" | "detail"> | undefined => {
    const key = poolKey(target);
    const known = pools.get(key);
    if (known !== undefined && known.identity !== identityOf(target)) {
      return {
        reason: "pool-conflict",
        detail: `pool ${key} is ${known.identity} and this pod ${identityOf(target)}; a pool has one of each`,
      };
    }
    if (known === undefined && pools.size >= limits.pools)
      return { reason: "over-limit", detail: `over ${limits.pools} pools on this node` };
    const replicas = (known?.replicas ?? 0) + 1;
    if (replicas > limits.replicasPerPool)
      return { reason: "over-limit", detail: `over ${limits.replicasPerPool} replicas of ${key} on this node` };
    pools.set(key, { identity: identityOf(target), replicas });
    return undefined;
  };
  for (const target of engines) join(target);
  for (const target of inOrder(found)) {
    const { namespace, pod } = target;
    const written = listed.get(`${namespace}/${pod}`);
    if (written !== undefined) {
      const [told, seen] = [written, target].map((t) => `${t.pool}, ${identityOf(t)}`);
      if (told !== seen)
        conflicts.push(`${namespace}/${pod}: the targets file says (${told}), its labels and arguments (${seen}); the file is used`);
      continue;
    }
    const problem =
      engines.length < limits.engines
        ? join(target)
        : { reason: "over-limit" as const, detail: `over ${limits.engines} engines on this node` };
    if (problem === undefined) engines.push(target);
    else unattributed.push({ namespace, pod, ...problem });
  }
  const pages = new Set([...(file?.gpus ?? []).map((g) => g.url), ...found.flatMap((a) => (a.kind === "gpu-page" ? [a.url] : []))]);
  const gpus = [...pages].slice(0, limits.gpuPages).map((url) => ({ url }));
  return { targets: { node, engines, gpus }, unattributed: unattributed.toSorted(byName), conflicts };
}

const identityOf = ({ role, model, engine }: EngineTarget): string => `${role}, ${model}, ${engine}`;

/** The order must not depend on how the API server lists them. */
const inOrder = (found: readonly Attribution[]): EngineTarget[] =>
  found
    .flatMap((a) => (a.kind === "engine" ? [a.target] : []))
    .toSorted((a, b) => a.startedAt - b.startedAt || compare(`${a.namespace}/${a.pod}`, `${b.namespace}/${b.pod}`));

const byName = (a: Unattributed, b: Unattributed): number => compare(`${a.namespace}/${a.pod}`, `${b.namespace}/${b.pod}`);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
