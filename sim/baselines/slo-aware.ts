import type { Observation } from "../../core/observation.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import { paid, poolBounds, toDecision } from "./decision.ts";
import { hpaStep, newHpa, SYNC_SECONDS, type Behavior, type HpaMemory } from "./hpa.ts";

/**
 * `slo-aware`: llm-d's estimated-latency autoscaling (KEDA + EPP, September–October 2026). Every 15 s, per pool:
 *   s_raw = P90 latency over 1 m ÷ objective (no traffic: 0),  s = mean over 45 s of min(s_raw, 2)
 *   s > 0.55: n + ceil(n·(s·c/0.55 − 1)), c = ready/n while some are not ready
 *   s < 0.40: n − floor(n·(1 − s/0.40));  else n
 * HPA: up by 100 % or 4 pods per 60 s with a window of 30 s, down by one pod per 120 s with a window of 180 s.
 *
 * llm-d publishes it for one pool with the larger of the TTFT and TPOT ratios and names "TTFT → prefill, TPOT → decode"
 * future work; that mapping is what runs here. The 1-minute P90 is the mean of the intervals' P90s, weighted by count.
 */
const UP = 0.55;
const DOWN = 0.4;
const CLAMP = 2;
const RATE_WINDOW = 60;
const SMOOTH_SAMPLES = 3;
const BEHAVIOR: Behavior = {
  up: {
    window: 30,
    policies: [
      { kind: "percent", value: 100, period: 60 },
      { kind: "pods", value: 4, period: 60 },
    ],
  },
  down: { window: 180, policies: [{ kind: "pods", value: 1, period: 120 }] },
};

interface PoolMemory {
  readonly hpa: HpaMemory;
  readonly seen: readonly { readonly at: number; readonly p90: number; readonly count: number }[];
  readonly ratios: readonly number[];
}

export interface SloAwareState {
  readonly syncedAt: number;
  readonly prefill: PoolMemory;
  readonly decode: PoolMemory;
}

const fresh: PoolMemory = { hpa: newHpa, seen: [], ratios: [] };

export const sloAware: Controller<SloAwareState> = {
  name: "slo-aware",
  start: (_policy, _prior, at) => ({ syncedAt: at - SYNC_SECONDS, prefill: fresh, decode: fresh }),
  tick(state, o, policy) {
    const due = o.at - state.syncedAt >= SYNC_SECONDS;
    const step = (role: "prefill" | "decode"): PoolMemory => {
      const memory = watch(state[role], o, role);
      const counts = o.pools[role]?.replicas;
      if (!due || counts === undefined) return memory;
      const objective = role === "prefill" ? policy.spec.objectives.ttft : policy.spec.objectives.itl;
      const ratios = [...memory.ratios, Math.min(CLAMP, objective === undefined ? 0 : p90(memory) / objective.target)].slice(
        -SMOOTH_SAMPLES,
      );
      const ratio = ratios.reduce((sum, value) => sum + value, 0) / ratios.length;
      const current = memory.hpa.desired > 0 ? memory.hpa.desired : paid(counts);
      const wanted = objective === undefined ? current : desired(current, counts.ready, ratio);
      return { ...memory, ratios, hpa: hpaStep(memory.hpa, o.at, current, wanted, BEHAVIOR, poolBounds(policy, role)) };
    };
    const next = { syncedAt: due ? o.at : state.syncedAt, prefill: step("prefill"), decode: step("decode") };
    const count = (role: "prefill" | "decode"): number => next[role].hpa.desired || paid(o.pools[role]?.replicas);
    const text = `latency ÷ objective ${last(next.prefill)} (TTFT) and ${last(next.decode)} (ITL) against ${DOWN}–${UP}`;
    return { state: next, decision: toDecision(o, { prefill: count("prefill"), decode: count("decode") }, text) };
  },
};

/** The published law: n provisioned, r ready, s the smoothed ratio. */
export function desired(n: number, ready: number, s: number): number {
  const credit = ready > 0 && ready < n ? ready / n : 1;
  if (s > UP) return n + Math.max(0, Math.ceil(n * ((s * credit) / UP - 1)));
  if (s < DOWN) return n - Math.floor(n * (1 - s / DOWN));
  return n;
}

function watch(memory: PoolMemory, o: Observation, role: "prefill" | "decode"): PoolMemory {
  const summary = role === "prefill" ? o.pools.prefill?.interval?.ttft : o.pools.decode?.interval?.itl;
  const recent = memory.seen.filter(({ at }) => o.at - at < RATE_WINDOW);
  return { ...memory, seen: summary === undefined ? recent : [...recent, { at: o.at, p90: summary.p90, count: summary.count }] };
}

function p90({ seen }: PoolMemory): number {
  const count = seen.reduce((sum, entry) => sum + entry.count, 0);
  return count > 0 ? seen.reduce((sum, entry) => sum + entry.p90 * entry.count, 0) / count : 0;
}

const last = ({ ratios }: PoolMemory): string => (ratios.at(-1) ?? 0).toFixed(2);
