import { attainedShare } from "../../core/attainment.ts";
import type { Observation } from "../../core/observation.ts";
import { learn } from "../learn/learn.ts";
import { learnTrim, type Trim } from "../learn/trim.ts";
import type { Policy, PolicySpec } from "../policy/schema.ts";
import { errorBudgets } from "./caution.ts";
import type { Assessed } from "./evidence.ts";
import { regretted, type Changes, type Regrets } from "./guards.ts";
import type { Plan } from "./predict.ts";
import type { FulcrumState } from "./state.ts";
import { transferBound } from "./transfer-bound.ts";

/** After the cluster refused pods, growth is not asked for again before this many seconds. */
const RETRY_UNSCHEDULABLE = 60;

/** Learns from the observation and notes what changed since the last one. */
export function notice(s: FulcrumState, o: Observation, current: Plan, evidence: Assessed, policy: Policy): FulcrumState {
  const complete = o.pools.prefill?.replicas !== undefined && o.pools.decode?.replicas !== undefined;
  const learned = evidence.level === "none" ? s.learned : learn(s.learned, o, policy.spec, s.prior);
  const changes =
    complete && s.lastPaid !== null
      ? noteChanges(s.changes, s.lastPaid, current, o.at, policy.spec.behavior.scaleDown.stabilization)
      : s.changes;
  return {
    ...s,
    ...sight(s, o, evidence, policy.spec),
    learned,
    changes,
    trim: evidence.level === "full" ? trims(s, o, policy.spec, changes) : s.trim,
    errorBudgets: evidence.level === "none" ? s.errorBudgets : errorBudgets(s, o, policy.spec),
    lastPaid: complete ? current : s.lastPaid,
    unschedulableUntil: refused(o) ? o.at + RETRY_UNSCHEDULABLE : s.unschedulableUntil,
  };
}

/**
 * How long the fleet has been in sight. Evidence that was missing for a good part of the stabilization window may have hidden its
 * peak, so the window must be seen anew.
 */
function sight(s: FulcrumState, o: Observation, evidence: Assessed, spec: PolicySpec): Pick<FulcrumState, "seenSince" | "seenAt"> {
  if (evidence.level === "none") return { seenSince: s.seenSince, seenAt: s.seenAt };
  const { evidence: rules, interval, scaleDown } = spec.behavior;
  const longest = Math.max(rules.maxAge, 2 * interval, 0.1 * scaleDown.stabilization);
  const gap = s.seenAt === null ? Infinity : o.at - s.seenAt;
  return { seenSince: s.seenSince === null || gap > longest ? o.at : s.seenSince, seenAt: o.at };
}

/** Pods that find no GPU; while something drains they only wait for its GPUs (the second half of a conversion). */
function refused(o: Observation): boolean {
  const draining = (o.pools.prefill?.replicas?.draining ?? 0) + (o.pools.decode?.replicas?.draining ?? 0);
  return (o.unschedulable ?? 0) > 0 && draining === 0;
}

function noteChanges(c: Changes, before: Plan, now: Plan, at: number, soon: number): Changes {
  const mark = (role: "prefill" | "decode", way: 1 | -1, was: number | null): number | null =>
    Math.sign(now[role] - before[role]) === way ? at : was;
  const regret = (role: "prefill" | "decode"): Regrets => {
    const was = c.regrets[role];
    const shrunk = c.down[role];
    const back = now[role] > before[role] && shrunk !== null && shrunk > (c.up[role] ?? -Infinity) && at - shrunk <= soon;
    return back ? { count: regretted(was, at) + 1, at } : was;
  };
  return {
    regrets: { prefill: regret("prefill"), decode: regret("decode") },
    up: { prefill: mark("prefill", 1, c.up.prefill), decode: mark("decode", 1, c.up.decode) },
    down: { prefill: mark("prefill", -1, c.down.prefill), decode: mark("decode", -1, c.down.decode) },
  };
}

function trims(s: FulcrumState, o: Observation, spec: PolicySpec, changes: Changes): { prefill: Trim; decode: Trim } {
  const one = (role: "prefill" | "decode", objective: "ttft" | "itl"): Trim => {
    const target = spec.objectives[objective];
    const seen = role === "prefill" ? o.pools.prefill?.interval?.ttft : o.pools.decode?.interval?.itl;
    const attained = target === undefined || seen === undefined ? undefined : attainedShare(seen, target.target);
    if (target === undefined || seen === undefined || attained === undefined) return s.trim[role];
    const r = o.pools[role]?.replicas;
    const last = Math.max(changes.up[role] ?? -Infinity, changes.down[role] ?? -Infinity);
    // A queue that is being worked off delivers late requests for a while; they say nothing about capacity now.
    // A full decode pool delays first tokens too (admission is inside TTFT): no fault of prefill.
    const waiting = (pool: "prefill" | "decode"): number => o.pools[pool]?.queue?.requests ?? 0;
    const queued = waiting(role) > 2 * (r?.ready ?? 0) || (role === "prefill" && waiting("decode") > 0);
    const held = transferBound(o, s.learned.workload, s.prior);
    const calm = !held && r !== undefined && r.starting.length === 0 && r.draining === 0 && !queued;
    return learnTrim(s.trim[role], {
      attained,
      samples: seen.count,
      quantile: target.quantile,
      settled: calm && o.at - last > s.learned.lead[role].value + 2 * spec.behavior.interval,
      promised: s.promised[role],
    });
  };
  return { prefill: one("prefill", "ttft"), decode: one("decode", "itl") };
}
