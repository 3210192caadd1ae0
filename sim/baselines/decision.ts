import type { Decision } from "../../core/decision.ts";
import type { Observation, ReplicaCounts } from "../../core/observation.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { mostReplicas, type Split } from "../backtest/setup.ts";

/** Replicas that are paid for and stay. */
export const paid = (counts: ReplicaCounts | undefined): number => (counts === undefined ? 0 : counts.ready + counts.starting.length);

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** What one pool may hold: the policy's minimum, and its maximum or what the GPUs allow beside one replica of the other pool. */
export function poolBounds(policy: Policy, role: "prefill" | "decode"): Bounds {
  const { min } = policy.spec.pools[role].replicas;
  return { min, max: Math.max(min, mostReplicas(policy.spec)[role]) };
}

export const within = (replicas: number, { min, max }: Bounds): number => Math.min(max, Math.max(min, replicas));

/** Baselines only set replica counts; their reason is one sentence. */
export function toDecision(o: Observation, { prefill, decode }: Split, text: string, hold = false): Decision {
  const pools = { prefill: { replicas: prefill }, decode: { replicas: decode } };
  const code = hold ? ("insufficient-evidence" as const) : ("within-range" as const);
  return { type: "decision", at: o.at, pools, moves: [], predicted: {}, reasons: [{ code, text }], hold };
}
