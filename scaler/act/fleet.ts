import type { FleetPool, FleetPools } from "../../core/fleet-control.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Policy } from "../policy/schema.ts";
import type { Actuator, Action, ActResult, ClusterFacts, PoolFacts } from "./actuator.ts";
import { createFleetClient, type FleetClient } from "./fleet-client.ts";
import { movedOn, notActing } from "./validate.ts";
import { planWrites, type Write } from "./writes.ts";

type Role = "prefill" | "decode";

/** The target kind this actuator serves: a pool of the simulated fleet. */
export const FLEET_POOL = "FleetPool";

/** Sees and scales the simulated fleet through its control API (core/fleet-control.ts). */
export function createFleetActuator(url: string, timeout = 2): Actuator {
  const client = createFleetClient(url, timeout);
  return {
    async facts(policy, signal) {
      const pools = await client.pools(signal);
      return pools.ok ? factsOf(policy, pools.value) : pools;
    },
    async apply(policy, decision, seen, signal) {
      const held = notActing(policy, decision);
      if (held !== undefined) return held;
      const live = await client.pools(signal);
      if (!live.ok) return failed([], live.error);
      const now = factsOf(policy, live.value);
      if (!now.ok) return failed([], now.error);
      const moved = movedOn(seen, now.value);
      if (moved !== undefined) return failed([], moved);
      return write(client, planWrites(policy, decision, now.value), signal);
    },
  };
}

async function write(client: FleetClient, writes: readonly Write[], signal: AbortSignal): Promise<ActResult> {
  const actions: Action[] = [];
  for (const change of writes) {
    const done = await (change.kind === "replicas"
      ? client.scale(change.pool, change.to, signal)
      : client.limit(change.pool, change.role === "prefill" ? { maxBatchedTokens: change.to } : { maxNumSeqs: change.to }, signal));
    // Stop at the first failure: a conversion's second half without its first would leave the budget.
    if (!done.ok) return { ...failed(actions, done.error), failedRole: change.role };
    actions.push(change);
  }
  return { outcome: actions.length > 0 ? "applied" : "unchanged", actions };
}

const failed = (actions: readonly Action[], error: string): ActResult => ({ outcome: "failed", actions, error });

function factsOf(policy: Policy, fleet: FleetPools): Result<ClusterFacts, string> {
  const prefill = poolFacts(policy, "prefill", fleet);
  const decode = poolFacts(policy, "decode", fleet);
  if (!prefill.ok) return prefill;
  if (!decode.ok) return decode;
  return ok({ prefill: prefill.value, decode: decode.value, gpus: fleet.gpus });
}

function poolFacts(policy: Policy, role: Role, fleet: FleetPools): Result<PoolFacts, string> {
  const target = policy.spec.pools[role].target;
  if (target?.kind !== FLEET_POOL) {
    return err(`${role} target is ${target === undefined ? "missing" : `a ${target.kind}`}; this scaler drives kind ${FLEET_POOL}`);
  }
  const pool = fleet.pools.find((p) => p.name === target.name && p.namespace === policy.metadata.namespace);
  if (pool === undefined) {
    const names = fleet.pools.map((p) => `${p.namespace}/${p.name}`).join(", ");
    return err(`the fleet has no pool ${policy.metadata.namespace}/${target.name}; it has ${names}`);
  }
  if (pool.role !== role) return err(`pool ${target.name} has the role ${pool.role}, but the policy's ${role} pool points at it`);
  return ok(toFacts(pool, fleet.at));
}

function toFacts(pool: FleetPool, at: number): PoolFacts {
  return {
    name: pool.name,
    model: pool.model,
    engine: pool.engine,
    desired: pool.desired,
    unschedulable: pool.unschedulable,
    limits: pool.limits,
    replicas: pool.replicas.map(({ pod, phase, startedAt }) => ({ pod, phase, age: Math.max(0, at - startedAt) })),
  };
}
