import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { ModeOverride } from "../../core/override.ts";
import type { ActResult, ClusterFacts } from "../act/actuator.ts";
import type { Insight } from "../decide/state.ts";
import type { TtftSource } from "../intake/ttft-source.ts";
import type { Policy } from "../policy/schema.ts";

/** Everything one tick came to, for metrics and page. */
export interface TickView {
  /** `namespace/name` */
  readonly name: string;
  readonly at: number;
  /** As it was written; `override` says whether less of it was carried out. */
  readonly policy: Policy;
  readonly override: ModeOverride | undefined;
  readonly observation: Observation;
  readonly decision: Decision;
  readonly result: ActResult;
  readonly facts: ClusterFacts | undefined;
  readonly insight: Insight | null;
  readonly ttftSource: TtftSource | undefined;
  readonly gpus: { readonly prefill: PoolGpus; readonly decode: PoolGpus };
  /** Pools whose applied change turned against their last one within 120 s. */
  readonly reversals: readonly ("prefill" | "decode")[];
}

/** GPU activity of a pool: means over its GPUs, power summed; null = no GPU of the pool says. */
export interface PoolGpus {
  readonly sm: number | null;
  readonly tensor: number | null;
  readonly dram: number | null;
  readonly powerWatts: number | null;
}

export type PoolRole = "prefill" | "decode";
export const POOL_ROLES = ["prefill", "decode"] as const;

/** The pool's name for labels and the page: its target's, or its role where a policy has none. */
export const poolNameOf = (policy: Policy, role: PoolRole): string => policy.spec.pools[role].target?.name ?? role;

/** The count that is wanted: what was decided, or held, what the cluster was last told; undefined when it cannot be asked. */
export const desiredReplicas = ({ decision, facts }: Pick<TickView, "decision" | "facts">, role: PoolRole): number | undefined =>
  decision.hold ? facts?.[role].desired : decision.pools[role].replicas;
