import type { Reason, ReasonCode } from "../../core/decision.ts";
import { MISMATCH } from "../learn/fit.ts";
import type { PolicySpec } from "../policy/schema.ts";
import type { EvidenceLevel } from "./evidence.ts";
import type { Plan } from "./predict.ts";

const ROLES = ["prefill", "decode"] as const;
type Role = (typeof ROLES)[number];

/** When the pools last changed size, from what was observed (so that changes by others count too). */
export interface Changes {
  readonly up: Readonly<Record<Role, number | null>>;
  readonly down: Readonly<Record<Role, number | null>>;
  /** Shrinks that were taken back soon, by pool: how many lately, and when the last one was. */
  readonly regrets: Readonly<Record<Role, Regrets>>;
}

export interface Regrets {
  readonly count: number;
  readonly at: number | null;
}

export interface GuardContext {
  readonly at: number;
  readonly spec: PolicySpec;
  readonly current: Plan;
  /** What was paid for a tick ago: more than now where replicas were lost. To ask for those again is no growth. */
  readonly had: Plan;
  readonly evidence: EvidenceLevel;
  /** Seconds for which the fleet has been seen without a long gap. */
  readonly seen: number;
  readonly changes: Changes;
  /** GPUs that may be used now: the budget, or less while the cluster cannot schedule more. */
  readonly gpus: number;
  /** The proposal trades replicas of one pool for the other under the budget. */
  readonly conversion: boolean;
  /** Scheduled floors in force now. */
  readonly floors: { readonly prefill: number; readonly decode: number };
  /** Rolling relative error of each pool's latency model. */
  readonly modelError: Readonly<Record<Role, number>>;
  /** Not one request is expected in a whole stabilization window: any model knows what that takes. */
  readonly idle: boolean;
  /** Whether the last intervals delivered less than the objective, by pool (TTFT is prefill's, ITL decode's). */
  readonly missing: Readonly<Record<Role, boolean>>;
  /** Predicted and delivered latency are close enough to the targets to leave the pools alone. */
  readonly nearEnough: boolean;
}

type Guard = (plan: Plan, c: GuardContext) => { readonly plan: Plan; readonly reasons: readonly Reason[] };

/** Applies the guardrails in their fixed order; each that changes the plan says so. */
export function guard(plan: Plan, c: GuardContext): { readonly plan: Plan; readonly reasons: readonly Reason[] } {
  const reasons: Reason[] = [];
  for (const step of ORDER) {
    const result = step(plan, c);
    plan = result.plan;
    reasons.push(...result.reasons);
  }
  return { plan, reasons };
}

/** Runs a per-pool rule and reports the pools it changed under one code. */
function perPool(code: ReasonCode, rule: (role: Role, wanted: number, c: GuardContext) => { replicas: number; why: string }): Guard {
  return (plan, c) => {
    const next = { ...plan };
    const reasons: Reason[] = [];
    for (const role of ROLES) {
      const { replicas, why } = rule(role, plan[role], c);
      if (replicas === plan[role]) continue;
      next[role] = replicas;
      const stays =
        replicas === c.current[role]
          ? `${role} stays at ${replicas} instead of ${plan[role]}`
          : `${role} ${replicas} instead of ${plan[role]}`;
      reasons.push({ code, text: `${stays}: ${why}`, numbers: { wantedReplicas: plan[role], allowedReplicas: replicas } });
    }
    return { plan: next, reasons };
  };
}

const partialEvidence = perPool("partial-evidence", (role, wanted, c) => ({
  replicas: c.evidence === "full" ? wanted : Math.max(wanted, c.current[role]),
  why: "with part of the replicas unseen nothing scales down",
}));

/**
 * Speaks whenever a model is off, whether it changes the plan or not: it is refitted, and what it calls spare is not believed. Without
 * traffic it cannot be refitted, and would keep an idle fleet for ever.
 */
const modelMismatch: Guard = (plan, c) => {
  if (c.idle) return { plan, reasons: [] };
  const off = ROLES.filter((role) => c.modelError[role] > MISMATCH);
  const next = { ...plan };
  for (const role of off) next[role] = Math.max(plan[role], c.current[role]);
  const reasons = off.map((role): Reason => {
    const text = `${role} takes other times than its model says (by ${(c.modelError[role] * 100).toFixed(0)} %): it is refitted and does not scale down`;
    return { code: "model-mismatch", text, numbers: { errorRatio: c.modelError[role], toleratedRatio: MISMATCH } };
  });
  return { plan: next, reasons };
};

/** The model may call a pool spare; what users get says it is not. A trade under the budget is weighed as a whole and may take from it. */
const objectiveMissed = perPool("objective-missed", (role, wanted, c) => ({
  replicas: c.missing[role] && !c.conversion ? Math.max(wanted, c.current[role]) : wanted,
  why: `delivered ${role === "prefill" ? "TTFT" : "ITL"} misses its objective, so nothing is spare`,
}));

const SEEN_FOR_TRADE = 60;

const panicStart = perPool("panic-start", (role, wanted, c) => {
  const { seen } = c;
  const window = c.spec.behavior.scaleDown.stabilization;
  // A trade under a full budget answers a shortage that is there: it needs to be seen for a while, not for a whole window.
  const enough = c.conversion ? Math.min(window, SEEN_FOR_TRADE) : window;
  return {
    replicas: seen < enough ? Math.max(wanted, c.current[role]) : wanted,
    why: `nothing scales down before a full window was seen (${seen.toFixed(0)} of ${enough} s)`,
  };
});

const scheduled = perPool("scheduled-floor", (role, wanted, c) => ({
  replicas: Math.max(wanted, c.floors[role]),
  why: "the schedule asks for at least this many now",
}));

const minimum = perPool("min-replicas", (role, wanted, c) => ({
  replicas: Math.max(wanted, c.spec.pools[role].replicas.min),
  why: "the policy's minimum",
}));

const maximum = perPool("max-replicas", (role, wanted, c) => ({
  replicas: Math.min(wanted, c.spec.pools[role].replicas.max ?? wanted),
  why: "the policy's maximum",
}));

/** Growth that does not fit is cut, the larger growth first; what runs already is never cut here. */
const budget: Guard = (plan, c) => {
  const gpus = { prefill: c.spec.pools.prefill.gpusPerReplica, decode: c.spec.pools.decode.gpusPerReplica };
  const used = (p: Plan): number => p.prefill * gpus.prefill + p.decode * gpus.decode;
  const next = { ...plan };
  while (used(next) > c.gpus) {
    const growth = { prefill: next.prefill - c.current.prefill, decode: next.decode - c.current.decode };
    const cut: Role = growth.prefill >= growth.decode ? "prefill" : "decode";
    if (growth[cut] <= 0) break;
    next[cut] -= 1;
  }
  if (next.prefill === plan.prefill && next.decode === plan.decode) return { plan, reasons: [] };
  const code = c.gpus < (c.spec.budget.gpus ?? Infinity) ? "unschedulable" : "budget";
  const text = `prefill ${plan.prefill} and decode ${plan.decode} need ${used(plan)} GPUs, ${c.gpus} may be used: prefill ${next.prefill}, decode ${next.decode}`;
  return { plan: next, reasons: [{ code, text, numbers: { neededGpus: used(plan), allowedGpus: c.gpus } }] };
};

const stepLimit = perPool("step-limit", (role, wanted, c) => {
  const now = c.current[role];
  const up = Math.max(1, Math.ceil(now * c.spec.behavior.scaleUp.step));
  const down = Math.max(1, Math.floor(now * c.spec.behavior.scaleDown.step));
  return {
    replicas: Math.min(Math.max(now + up, c.had[role]), Math.max(now - down, wanted)),
    why: `at most ${up} up or ${down} down in one step`,
  };
});

/** The cool-down of shrinking doubles with each regret, at most this many times: from 60 s to 16 minutes. */
const MOST_REGRETS = 4;
const FORGET = 1800;

/** Regrets that still count: one is forgotten per half hour (seconds `at`) without another. */
export function regretted(r: Regrets, at: number): number {
  return r.at === null ? 0 : Math.max(0, Math.min(MOST_REGRETS, r.count) - Math.floor((at - r.at) / FORGET));
}

const cooldown = perPool("cooldown", (role, wanted, c) => {
  const now = c.current[role];
  const since = (t: number | null): number => (t === null ? Infinity : c.at - t);
  const up = since(c.changes.up[role]);
  const down = Math.min(up, since(c.changes.down[role]));
  const { scaleUp, scaleDown } = c.spec.behavior;
  const wait = scaleDown.cooldown * 2 ** regretted(c.changes.regrets[role], c.at);
  if (wanted > now && up < scaleUp.cooldown)
    return {
      replicas: Math.max(now, Math.min(wanted, c.had[role])),
      why: `scaled up ${up.toFixed(0)} s ago, cool-down is ${scaleUp.cooldown} s`,
    };
  if (wanted < now && down < wait) return { replicas: now, why: `changed ${down.toFixed(0)} s ago, cool-down is ${wait} s` };
  return { replicas: wanted, why: "" };
});

const deadBand = perPool("dead-band", (role, wanted, c) => ({
  replicas: c.nearEnough && wanted === c.current[role] + 1 && wanted > c.spec.pools[role].replicas.min ? c.current[role] : wanted,
  why: "predicted within 5 % of the target and delivered within it: not worth a replica",
}));

/** Only ever adds to the smaller side, and only when it fits; otherwise the change is not made. */
const ratioBounds: Guard = (plan, c) => {
  const bounds = c.spec.ratio?.prefillPerDecode;
  if (bounds === undefined) return { plan, reasons: [] };
  const share = plan.prefill / plan.decode;
  if (share >= bounds.min && share <= bounds.max) return { plan, reasons: [] };
  const next =
    share > bounds.max
      ? { ...plan, decode: Math.ceil(plan.prefill / bounds.max) }
      : { ...plan, prefill: Math.ceil(plan.decode * bounds.min) };
  const { prefill, decode } = c.spec.pools;
  const fits =
    next.prefill * prefill.gpusPerReplica + next.decode * decode.gpusPerReplica <= c.gpus &&
    next.prefill <= (prefill.replicas.max ?? Infinity) &&
    next.decode <= (decode.replicas.max ?? Infinity);
  const settled = fits ? next : c.current;
  if (settled.prefill === plan.prefill && settled.decode === plan.decode) return { plan, reasons: [] };
  const text = `prefill:decode ${plan.prefill}:${plan.decode} leaves ${bounds.min}–${bounds.max}: ${settled.prefill}:${settled.decode}`;
  return { plan: settled, reasons: [{ code: "ratio-bounds", text, numbers: { share, min: bounds.min, max: bounds.max } }] };
};

/** Half of a trade is worse than none: when a guard stopped one side of a conversion, the other stays too. */
const wholeTrade: Guard = (plan, c) => {
  if (!c.conversion) return { plan, reasons: [] };
  const shrinks = plan.prefill < c.current.prefill || plan.decode < c.current.decode;
  const grows = plan.prefill > c.current.prefill || plan.decode > c.current.decode;
  if (shrinks === grows || (grows && !shrinks)) return { plan, reasons: [] };
  return {
    plan: c.current,
    reasons: [{ code: "cooldown", text: "the growing half of the conversion must wait, so the shrinking half waits too" }],
  };
};

/** Fewer than the minimum are there (replicas were lost): no other rule keeps it so. What runs in the other pool is not touched for it. */
const restoredMinimum: Guard = (plan, c) => {
  const { prefill, decode } = c.spec.pools;
  const next = { prefill: Math.max(plan.prefill, prefill.replicas.min), decode: Math.max(plan.decode, decode.replicas.min) };
  const fits = next.prefill * prefill.gpusPerReplica + next.decode * decode.gpusPerReplica <= c.gpus;
  return fits ? minimum(plan, c) : { plan, reasons: [] };
};

const ORDER: readonly Guard[] = [
  partialEvidence,
  modelMismatch,
  objectiveMissed,
  panicStart,
  scheduled,
  minimum,
  maximum,
  budget,
  stepLimit,
  cooldown,
  deadBand,
  ratioBounds,
  wholeTrade,
  // A trade that lost its shrinking half must fit again.
  budget,
  restoredMinimum,
];
