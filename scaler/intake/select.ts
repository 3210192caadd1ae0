import type { Role } from "../../core/pool.ts";
import type { PoolReport } from "../../wire/messages.ts";
import type { Policy } from "../policy/schema.ts";

type Selectable = Pick<PoolReport, "namespace" | "pool" | "role" | "model">;

/** Whether reports about this pool belong to the policy: its namespace, its model when it names one, and its pools' targets. */
export function belongs(policy: Policy, pool: Selectable): boolean {
  return (["prefill", "decode", "frontend"] as const).some((role) => isPool(policy, role, pool));
}

export function isPool(policy: Policy, role: Extract<Role, "prefill" | "decode" | "frontend">, pool: Selectable): boolean {
  const { metadata, spec } = policy;
  if (pool.role !== role || pool.namespace !== metadata.namespace) return false;
  if (spec.model !== undefined && pool.model !== spec.model) return false;
  // A frontend has no target: it is only read, never scaled.
  const target = role === "frontend" ? undefined : spec.pools[role].target;
  return target === undefined || target.component !== undefined || target.name === pool.pool;
}
