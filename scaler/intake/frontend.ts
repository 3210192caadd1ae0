import type { EngineKind } from "../../core/pool.ts";
import type { PoolInterval } from "./interval.ts";

/** From the user's side inwards: each sees what those behind it see, and what it adds itself. */
const NEAREST_FIRST: readonly EngineKind[] = ["dynamo-frontend", "llm-d-epp", "dynamo-router"];

/** Of several frontend pools the one nearest to the user that says anything of first tokens: their requests are the same ones, counted once. */
export function frontendOf(pools: readonly PoolInterval[]): PoolInterval | undefined {
  const rank = ({ id, distributions }: PoolInterval): number =>
    (distributions.ttft === undefined ? NEAREST_FIRST.length + 1 : 0) + (NEAREST_FIRST.indexOf(id.engine) + 1 || NEAREST_FIRST.length + 1);
  return pools.reduce<PoolInterval | undefined>((best, pool) => (best === undefined || rank(pool) < rank(best) ? pool : best), undefined);
}
