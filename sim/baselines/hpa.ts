import { within, type Bounds } from "./decision.ts";

/**
 * One Kubernetes HorizontalPodAutoscaler (v2), by its published rules (kubernetes.io, "Horizontal Pod Autoscaling"):
 *   desired = ceil(current · value/target), none when |value/target − 1| ≤ 0.1; decided every 15 s;
 *   a stabilization window takes the highest recommendation of its time on the way down, the lowest on the way up;
 *   policies bound the change per period and the most permissive one counts.
 */
export const SYNC_SECONDS = 15;
const TOLERANCE = 0.1;

export interface ScalingRules {
  readonly window: number;
  readonly policies: readonly { readonly kind: "pods" | "percent"; readonly value: number; readonly period: number }[];
}

export interface Behavior {
  readonly up: ScalingRules;
  readonly down: ScalingRules;
}

/** What Kubernetes fills in: up at once by 100 % or 4 pods per 15 s, down by anything after 300 s. */
export const DEFAULT_BEHAVIOR: Behavior = {
  up: {
    window: 0,
    policies: [
      { kind: "percent", value: 100, period: 15 },
      { kind: "pods", value: 4, period: 15 },
    ],
  },
  down: { window: 300, policies: [{ kind: "percent", value: 100, period: 15 }] },
};

export interface HpaMemory {
  /** 0 until first decided: the pool is then what it was found to be. */
  readonly desired: number;
  readonly recent: readonly { readonly at: number; readonly replicas: number }[];
  readonly changes: readonly { readonly at: number; readonly by: number }[];
}

export const newHpa: HpaMemory = { desired: 0, recent: [], changes: [] };

/** `AverageValue`: the total over all replicas against a target per replica. */
export function byAverage(total: number, target: number, current: number): number {
  return Math.abs(total / Math.max(1, current) / target - 1) <= TOLERANCE ? current : Math.ceil(total / target);
}

/** One sync. `recommended` is undefined when the metric is missing: an HPA without its metric does nothing. */
export function hpaStep(
  before: HpaMemory,
  at: number,
  current: number,
  recommended: number | undefined,
  rules: Behavior,
  bounds: Bounds,
): HpaMemory {
  if (recommended === undefined) return { ...before, desired: current };
  const longest = Math.max(rules.up.window, rules.down.window, SYNC_SECONDS);
  const recent = [...before.recent.filter((entry) => at - entry.at < longest), { at, replicas: within(recommended, bounds) }];
  const inside = (window: number): number[] =>
    recent.filter((entry) => entry.at === at || at - entry.at < window).map(({ replicas }) => replicas);
  const lowest = Math.min(...inside(rules.up.window));
  const highest = Math.max(...inside(rules.down.window));
  const wanted = lowest > current ? lowest : highest < current ? highest : current;
  const desired = within(limit(before, at, current, wanted, rules), bounds);
  const kept = before.changes.filter((change) => at - change.at < 600);
  const changes = desired === current ? kept : [...kept, { at, by: desired - current }];
  return { desired, recent, changes };
}

function limit(before: HpaMemory, at: number, current: number, wanted: number, rules: Behavior): number {
  if (wanted === current) return current;
  const sign = wanted > current ? 1 : -1;
  const allowed = (sign > 0 ? rules.up : rules.down).policies.map(({ kind, value, period }) => {
    const moved = before.changes.reduce((sum, { at: when, by }) => (at - when < period && by * sign > 0 ? sum + by : sum), 0);
    const atStart = current - moved;
    return kind === "pods"
      ? atStart + sign * value
      : sign > 0
        ? Math.ceil(atStart * (1 + value / 100))
        : Math.floor(atStart * (1 - value / 100));
  });
  return sign > 0 ? Math.max(current, Math.min(wanted, Math.max(...allowed))) : Math.min(current, Math.max(wanted, Math.min(...allowed)));
}
