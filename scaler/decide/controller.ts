import type { Decision, Reason } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import { learn, startLearning } from "../learn/learn.ts";
import { fullTrim, learnTrim, type Trim } from "../learn/trim.ts";
import { scheduledFloors } from "../policy/schedule.ts";
import type { Policy, PolicySpec } from "../policy/schema.ts";
import { decodeBatch, prefillBudget } from "./batch.ts";
import type { Controller } from "./controller.types.ts";
import { forecast, worst, type Demand } from "./demand.ts";
import { assess, paid, type Assessed } from "./evidence.ts";
import { guard, type Changes, type GuardContext } from "./guards.ts";
import { predict, prefillVelocity, type Plan, type Prediction, type Situation } from "./predict.ts";
import { ms, propose, type Proposal } from "./propose.ts";
import { neighbours, violation, weigh, type Bounds, type Targets } from "./search.ts";
import { decodeVelocity, modelErrors, situate } from "./situation.ts";
import type { FulcrumState, Insight } from "./state.ts";

/** Without `replicas.max` the budget bounds a pool; without either this does (the policy loader asks for one). */
const MAX_REPLICAS = 1000;
/** After the cluster refused pods, growth is not asked for again before this many seconds. */
const RETRY_UNSCHEDULABLE = 60;
/** Before any time a trace or a clock can show; a number that JSON can carry. */
const LONG_AGO = -1e9;

/** evidence → learn → demand → search → guard, in the order of the design; a pure function of its arguments. */
export const fulcrum: Controller<FulcrumState> = {
  name: "fulcrum",
  start: (policy, prior, at) => ({
    prior,
    startedAt: at,
    learned: startLearning(policy.spec),
    trim: { prefill: fullTrim, decode: fullTrim },
    window: [],
    changes: { up: { prefill: null, decode: null }, down: { prefill: null, decode: null } },
    lastPaid: null,
    unschedulableUntil: LONG_AGO,
    insight: null,
    promised: { prefill: false, decode: false },
  }),
  tick,
};

/** Continues after a restart: what was learned stays, the view of the fleet's recent past does not. */
export function resume(state: FulcrumState, policy: Policy, at: number): FulcrumState {
  return { ...fulcrum.start(policy, state.prior, at), learned: state.learned, trim: state.trim };
}

function tick(before: FulcrumState, o: Observation, policy: Policy): { state: FulcrumState; decision: Decision } {
  const { spec } = policy;
  const evidence = assess(o, spec);
  const current = { prefill: paid(o.pools.prefill?.replicas), decode: paid(o.pools.decode?.replicas) };
  const state = notice(before, o, current, evidence, policy);
  if (evidence.level === "none") {
    return { state, decision: hold(o, known(before, o, current, spec), { code: "insufficient-evidence", text: evidence.gaps.join("; ") }) };
  }
  const horizon = Math.max(state.learned.lead.prefill.value, state.learned.lead.decode.value) + spec.behavior.interval;
  const demand = forecast(state.learned.workload, horizon);
  if (demand === undefined) {
    return { state, decision: hold(o, current, { code: "within-range", text: "no request was seen yet: nothing to size by" }) };
  }
  return decide(state, o, policy, { evidence, current, demand });
}

/** Learns from the observation and notes what changed since the last one. */
function notice(s: FulcrumState, o: Observation, current: Plan, evidence: Assessed, policy: Policy): FulcrumState {
  const complete = o.pools.prefill?.replicas !== undefined && o.pools.decode?.replicas !== undefined;
  const learned = evidence.level === "none" ? s.learned : learn(s.learned, o, policy.spec, s.prior);
  const changes = complete && s.lastPaid !== null ? noteChanges(s.changes, s.lastPaid, current, o.at) : s.changes;
  return {
    ...s,
    learned,
    changes,
    trim: evidence.level === "full" ? trims(s, o, policy.spec, changes) : s.trim,
    lastPaid: complete ? current : s.lastPaid,
    unschedulableUntil: refused(o) ? o.at + RETRY_UNSCHEDULABLE : s.unschedulableUntil,
  };
}

/** Pods that find no GPU; while something drains they only wait for its GPUs (the second half of a conversion). */
function refused(o: Observation): boolean {
  const draining = (o.pools.prefill?.replicas?.draining ?? 0) + (o.pools.decode?.replicas?.draining ?? 0);
  return (o.unschedulable ?? 0) > 0 && draining === 0;
}

function noteChanges(c: Changes, before: Plan, now: Plan, at: number): Changes {
  const mark = (role: "prefill" | "decode", way: 1 | -1, was: number | null): number | null =>
    Math.sign(now[role] - before[role]) === way ? at : was;
  return {
    up: { prefill: mark("prefill", 1, c.up.prefill), decode: mark("decode", 1, c.up.decode) },
    down: { prefill: mark("prefill", -1, c.down.prefill), decode: mark("decode", -1, c.down.decode) },
  };
}

function trims(s: FulcrumState, o: Observation, spec: PolicySpec, changes: Changes): { prefill: Trim; decode: Trim } {
  const one = (role: "prefill" | "decode", objective: "ttft" | "itl"): Trim => {
    const target = spec.objectives[objective];
    const seen = role === "prefill" ? o.pools.prefill?.interval?.ttft : o.pools.decode?.interval?.itl;
    if (target === undefined || seen?.within === undefined || !(seen.count > 0)) return s.trim[role];
    const r = o.pools[role]?.replicas;
    const last = Math.max(changes.up[role] ?? -Infinity, changes.down[role] ?? -Infinity);
    // A queue that is being worked off delivers late requests for a while; they say nothing about capacity now.
    const queued = (o.pools[role]?.queue?.requests ?? 0) > 2 * (r?.ready ?? 0);
    const calm = r !== undefined && r.starting.length === 0 && r.draining === 0 && !queued;
    return learnTrim(s.trim[role], {
      attained: seen.within / seen.count,
      samples: seen.count,
      quantile: target.quantile,
      settled: calm && o.at - last > s.learned.lead[role].value + 2 * spec.behavior.interval,
      promised: s.promised[role],
    });
  };
  return { prefill: one("prefill", "ttft"), decode: one("decode", "itl") };
}

function decide(
  state: FulcrumState,
  o: Observation,
  policy: Policy,
  now: { readonly evidence: Assessed; readonly current: Plan; readonly demand: Demand },
): { state: FulcrumState; decision: Decision } {
  const { spec } = policy;
  const { current, demand } = now;
  const since = o.at - spec.behavior.scaleDown.stabilization;
  const window = [...state.window.filter((w) => w.at > since), { at: o.at, demand }];
  const situation = situate(state, state.learned, demand, o, spec);
  const bounds = boundsOf(spec, state, o.at, current);
  const targets: Targets = { ttft: spec.objectives.ttft?.target ?? Infinity, itl: spec.objectives.itl?.target ?? Infinity };
  const heaviest = window.reduce((a, w) => worst(a, w.demand), demand);
  const proposal = propose({ current, bounds, targets, situation, worst: heaviest, convert: spec.rebalance.convert });
  if (proposal === undefined) {
    const text = "no plan lies within the policy's minimum, maximum, ratio and GPU budget";
    return { state: { ...state, window }, decision: hold(o, current, { code: "budget", text }) };
  }
  const here = weigh(current, bounds, proposal.targets, situation).prediction;
  const context: GuardContext = {
    at: o.at,
    spec,
    current,
    evidence: now.evidence.level,
    startedAt: state.startedAt,
    changes: state.changes,
    gpus: bounds.gpus,
    conversion: proposal.conversion,
    floors: scheduledFloors(spec.schedule, o.at),
    nearEnough: nearEnough(here, proposal.targets, o, spec),
  };
  const guarded = guard(proposal.plan, context);
  const paused = spec.mode === "paused";
  const plan = paused ? current : guarded.plan;
  const insight = insightOf(state, situation, here, spec);
  const decision = compose({ o, spec, plan, current, proposal, guarded: guarded.reasons, situation, bounds, evidence: now.evidence });
  const promised = { prefill: here.ttft <= proposal.targets.ttft, decode: here.itl <= proposal.targets.itl };
  return { state: { ...state, window, insight, promised }, decision };
}

function boundsOf(spec: PolicySpec, state: FulcrumState, at: number, current: Plan): Bounds {
  const { prefill, decode } = spec.pools;
  const budget = spec.budget.gpus ?? Infinity;
  const running = current.prefill * prefill.gpusPerReplica + current.decode * decode.gpusPerReplica;
  const gpus = at < state.unschedulableUntil ? Math.min(budget, running) : budget;
  const most = (r: number | undefined, per: number): number =>
    Math.min(r ?? MAX_REPLICAS, Number.isFinite(budget) ? Math.max(1, Math.floor(budget / per)) : MAX_REPLICAS);
  return {
    prefill: { min: prefill.replicas.min, max: most(prefill.replicas.max, prefill.gpusPerReplica), gpus: prefill.gpusPerReplica },
    decode: { min: decode.replicas.min, max: most(decode.replicas.max, decode.gpusPerReplica), gpus: decode.gpusPerReplica },
    gpus,
    ratio: spec.ratio?.prefillPerDecode ?? { min: 0, max: Infinity },
  };
}

/** Predicted at most 5 % over, and delivered within the objectives. */
function nearEnough(here: Prediction, t: Targets, o: Observation, spec: PolicySpec): boolean {
  if (violation(here, { ttft: t.ttft * 1.05, itl: t.itl * 1.05 }) > 0) return false;
  const ttft = o.pools.prefill?.interval?.ttft;
  const itl = o.pools.decode?.interval?.itl;
  const held = (s: { count: number; within?: number } | undefined, q: number): boolean =>
    s?.within === undefined || s.count === 0 || s.within / s.count >= q;
  return held(ttft, spec.objectives.ttft?.quantile ?? 0) && held(itl, spec.objectives.itl?.quantile ?? 0);
}

function insightOf(state: FulcrumState, s: Situation, here: Prediction, spec: PolicySpec): Insight {
  const bounded = (x: number): number => (Number.isFinite(x) ? x : 1e9);
  return {
    velocity: { prefill: prefillVelocity(s), decode: decodeVelocity(s, spec.objectives.itl?.target ?? Infinity) },
    utilization: { prefill: bounded(here.rho.prefill), decode: bounded(here.rho.decode) },
    modelError: modelErrors(state.learned),
    leadTime: { prefill: state.learned.lead.prefill.value, decode: state.learned.lead.decode.value },
    trim: { prefill: state.trim.prefill.factor, decode: state.trim.decode.factor },
    demand: { arrivals: s.demand.arrivals, prefillTokens: s.demand.prefillTokens, decodeTokens: s.demand.decodeTokens },
  };
}

interface Composed {
  readonly o: Observation;
  readonly spec: PolicySpec;
  readonly plan: Plan;
  readonly current: Plan;
  readonly proposal: Proposal;
  readonly guarded: readonly Reason[];
  readonly situation: Situation;
  readonly bounds: Bounds;
  readonly evidence: Assessed;
}

function compose(c: Composed): Decision {
  const { plan, current, situation, spec } = c;
  // What users will see: without the headroom that sizing keeps free.
  const expected = predict(plan, { ...situation, headroom: 0 });
  const limits = recommendedLimits(c, expected);
  const reasons: Reason[] = [...c.proposal.reasons, ...c.guarded, ...limits.reasons];
  if (c.evidence.level === "partial") reasons.push({ code: "partial-evidence", text: c.evidence.gaps.join("; ") });
  const changed = plan.prefill !== current.prefill || plan.decode !== current.decode;
  if (reasons.length === 0) {
    const text = `prefill ${plan.prefill} and decode ${plan.decode} are expected to give TTFT ${ms(expected.ttft)} and ITL ${ms(expected.itl)}`;
    reasons.push({ code: "within-range", text });
  }
  if (spec.mode === "paused") reasons.push({ code: "paused", text: "the policy is paused: pools stay as they are" });
  if (spec.mode === "observe") reasons.push({ code: "observe", text: "observe mode: recommended, not applied" });
  const wanted = c.proposal.plan;
  const blocked = wanted.prefill !== current.prefill || wanted.decode !== current.decode;
  const shrinking = plan.prefill < current.prefill ? "prefill" : plan.decode < current.decode ? "decode" : undefined;
  const growing = plan.prefill > current.prefill ? "prefill" : plan.decode > current.decode ? "decode" : undefined;
  const finite = (x: number): x is number => Number.isFinite(x);
  return {
    type: "decision",
    at: c.o.at,
    pools: {
      prefill: { replicas: plan.prefill, limits: { maxBatchedTokens: limits.maxBatchedTokens } },
      decode: { replicas: plan.decode, limits: { maxNumSeqs: limits.maxNumSeqs } },
    },
    moves:
      shrinking !== undefined && growing !== undefined
        ? [{ from: shrinking, to: growing, replicas: Math.min(current[shrinking] - plan[shrinking], plan[growing] - current[growing]) }]
        : [],
    predicted: {
      ...(finite(expected.ttft) ? { ttft: expected.ttft } : {}),
      ...(finite(expected.itl) ? { itl: expected.itl } : {}),
    },
    reasons,
    candidates: neighbours(plan, c.bounds, c.proposal.targets, situation),
    hold: !changed && blocked,
  };
}

/** Relative change below which a batch limit is left alone. */
const LIMIT_BAND = 0.15;

function recommendedLimits(c: Composed, expected: Prediction): { maxBatchedTokens: number; maxNumSeqs: number; reasons: Reason[] } {
  const { situation, spec, o } = c;
  const { prefill, decode } = spec.pools;
  const range = decode.batch.maxNumSeqs;
  const best = Math.floor(
    decodeBatch(
      situation.models.decode,
      spec.objectives.itl?.target ?? Infinity,
      situation.demand.lengths.context,
      situation.models.kvCapacity,
    ),
  );
  const wanted = {
    maxBatchedTokens: prefillBudget(situation.models.prefill, expected.rho.prefill, prefill.batch.maxBatchedTokens),
    maxNumSeqs: Math.min(range.max, Math.max(range.min, best, roomier(o, spec))),
  };
  const reasons: Reason[] = [];
  const settle = (name: string, want: number, now: number | undefined): number => {
    if (now === undefined || Math.abs(want - now) <= LIMIT_BAND * now) return now ?? want;
    reasons.push({ code: "batch-limit", text: `${name} ${now} → ${want}`, numbers: { now, wanted: want } });
    return want;
  };
  return {
    maxBatchedTokens: settle("max batched tokens", wanted.maxBatchedTokens, o.pools.prefill?.limits?.maxBatchedTokens),
    maxNumSeqs: settle("max sequences", wanted.maxNumSeqs, o.pools.decode?.limits?.maxNumSeqs),
    reasons,
  };
}

/** Delivered ITL below this share of the target while requests wait for a slot: the limit is too tight, whatever the model says. */
const EASY_ITL = 0.8;

function roomier(o: Observation, spec: PolicySpec): number {
  const { queue, limits, interval } = o.pools.decode ?? {};
  const target = spec.objectives.itl?.target ?? Infinity;
  const tight = (queue?.requests ?? 0) > 0 && interval?.itl !== undefined && interval.itl.p95 < EASY_ITL * target;
  return tight ? Math.ceil((limits?.maxNumSeqs ?? 0) * 1.25) : 0;
}

/** The last counts that were known: a pool whose replicas are unseen keeps what it had, or the policy's minimum. */
function known(s: FulcrumState, o: Observation, current: Plan, spec: PolicySpec): Plan {
  return {
    prefill: o.pools.prefill?.replicas === undefined ? (s.lastPaid?.prefill ?? spec.pools.prefill.replicas.min) : current.prefill,
    decode: o.pools.decode?.replicas === undefined ? (s.lastPaid?.decode ?? spec.pools.decode.replicas.min) : current.decode,
  };
}

function hold(o: Observation, plan: Plan, reason: Reason): Decision {
  const { prefill, decode } = o.pools;
  return {
    type: "decision",
    at: o.at,
    pools: {
      prefill: {
        replicas: plan.prefill,
        ...(prefill?.limits?.maxBatchedTokens === undefined ? {} : { limits: { maxBatchedTokens: prefill.limits.maxBatchedTokens } }),
      },
      decode: {
        replicas: plan.decode,
        ...(decode?.limits?.maxNumSeqs === undefined ? {} : { limits: { maxNumSeqs: decode.limits.maxNumSeqs } }),
      },
    },
    moves: [],
    predicted: {},
    reasons: [reason],
    hold: true,
  };
}
