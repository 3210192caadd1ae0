import type { Decision } from "../../core/decision.ts";
import type { DecodeObservation, Observation, ReplicaCounts } from "../../core/observation.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import type { Policy, PolicySpec } from "../../scaler/policy/schema.ts";
import { paid } from "./decision.ts";

/**
 * The same controller with `factor` times the replicas it asks for: what an operator does who sees it starve its users. It is shown a fleet
 * in which one replica stands for `factor` real ones (counts, limits, budget and KV usage accordingly), so that its own rules stay
 * consistent, and its orders are multiplied, rounded up.
 */
export function provisioned<State>(controller: Controller<State>, factor: number): Controller<State> {
  // A policy is compared by identity nowhere, but shrinking it anew at each tick would cost more than deciding.
  let shown: { readonly of: Policy; readonly policy: Policy } | undefined;
  const shrunk = (policy: Policy): Policy => {
    if (shown?.of !== policy) shown = { of: policy, policy: { ...policy, spec: shrinkPolicy(policy.spec, factor) } };
    return shown.policy;
  };
  return {
    name: controller.name,
    start: (policy, prior, at) => controller.start(shrunk(policy), prior, at),
    tick(before, o, policy) {
      const { state, decision } = controller.tick(before, shrink(o, factor), shrunk(policy));
      return { state, decision: enlarge(decision, policy.spec, factor) };
    },
  };
}

const EPSILON = 1e-9;
const ordered = (replicas: number, factor: number): number => Math.ceil(replicas * factor - EPSILON);

/** The fewest replicas whose order is at least what there is. */
const standFor = (replicas: number, factor: number): number => Math.floor(replicas / factor + EPSILON) || Math.min(1, replicas);

function shrink(o: Observation, factor: number): Observation {
  const { prefill, decode } = o.pools;
  return {
    ...o,
    pools: {
      ...(prefill === undefined ? {} : { prefill: { ...prefill, ...counts(prefill.replicas, factor) } }),
      ...(decode === undefined ? {} : { decode: shrinkDecode(decode, factor) }),
    },
  };
}

function shrinkDecode(pool: DecodeObservation, factor: number): DecodeObservation {
  const shown = { ...pool, ...counts(pool.replicas, factor) };
  if (pool.kvUsage === undefined) return shown;
  // The same KV in fewer replicas of the same size.
  const ratio = pool.replicas === undefined ? factor : pool.replicas.ready / Math.max(1, shown.replicas?.ready ?? 1);
  return { ...shown, kvUsage: pool.kvUsage * ratio };
}

function counts(replicas: ReplicaCounts | undefined, factor: number): { readonly replicas?: ReplicaCounts } {
  if (replicas === undefined) return {};
  const starting = replicas.starting.slice(0, standFor(replicas.starting.length, factor));
  const ready = Math.max(Math.min(1, replicas.ready), standFor(paid(replicas), factor) - starting.length);
  return { replicas: { ...replicas, ready, starting } };
}

function shrinkPolicy(spec: PolicySpec, factor: number): PolicySpec {
  const { prefill, decode } = spec.pools;
  const range = ({ min, max }: PolicySpec["pools"]["prefill"]["replicas"]) => {
    const least = Math.ceil(min / factor);
    return { min: least, ...(max === undefined ? {} : { max: Math.max(least, 1, Math.floor(max / factor)) }) };
  };
  const { gpus } = spec.budget;
  const least = prefill.gpusPerReplica + decode.gpusPerReplica;
  return {
    ...spec,
    budget: { ...spec.budget, ...(gpus === undefined ? {} : { gpus: Math.max(least, Math.floor(gpus / factor)) }) },
    pools: {
      prefill: { ...prefill, replicas: { ...prefill.replicas, ...range(prefill.replicas) } },
      decode: { ...decode, replicas: { ...decode.replicas, ...range(decode.replicas) } },
    },
  };
}

function enlarge(decision: Decision, { pools }: PolicySpec, factor: number): Decision {
  const grow = (role: "prefill" | "decode"): number =>
    Math.min(pools[role].replicas.max ?? Infinity, ordered(decision.pools[role].replicas, factor));
  return {
    ...decision,
    pools: {
      prefill: { ...decision.pools.prefill, replicas: grow("prefill") },
      decode: { ...decision.pools.decode, replicas: grow("decode") },
    },
  };
}
