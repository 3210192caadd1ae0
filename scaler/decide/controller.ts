import { attainedShare } from "../../core/attainment.ts";
import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import type { Summary } from "../../core/summary.ts";
import { unknownBudget, type Ease } from "../learn/error-budget.ts";
import { startLearning } from "../learn/learn.ts";
import { revive } from "../learn/revive.ts";
import { fullTrim } from "../learn/trim.ts";
import { scheduledFloors } from "../policy/schedule.ts";
import type { Policy, PolicySpec } from "../policy/schema.ts";
import { compose, hold } from "./compose.ts";
import { easeOf } from "./caution.ts";
import type { Controller, StageProbe } from "./controller.types.ts";
import { countMisses, missing, noMisses } from "./delivered.ts";
import { forecast, resumeForecasts, startForecasts, type Demand, type Level } from "./demand.ts";
import { assess, paid, type Assessed } from "./evidence.ts";
import { guard, type GuardContext } from "./guards.ts";
import { horizonOf } from "./horizon.ts";
import { insightOf } from "./insight.ts";
import { notice } from "./notice.ts";
import type { Plan, Prediction } from "./predict.ts";
import { propose, SPARE } from "./propose.ts";
import { violation, weigh, type Bounds, type Targets } from "./search.ts";
import { modelErrors, situate } from "./situation.ts";
import { heaviest as heaviestOf, type Moment } from "./settled.ts";
import type { FulcrumState } from "./state.ts";
import { transferBound } from "./transfer-bound.ts";

/** Without `replicas.max` the budget bounds a pool; without either this does (the policy loader asks for one). */
const MAX_REPLICAS = 1000;
/** Before any time a trace or a clock can show; a number that JSON can carry. */
const LONG_AGO = -1e9;

/** evidence → learn → demand → search → guard, in the order of the design; a pure function of its arguments. */
export const fulcrum: Controller<FulcrumState> = {
  name: "fulcrum",
  start: (policy, prior) => ({
    prior,
    seenSince: null,
    seenAt: null,
    learned: startLearning(policy.spec),
    trim: { prefill: fullTrim, decode: fullTrim },
    errorBudgets: { prefill: unknownBudget, decode: unknownBudget },
    misses: noMisses,
    forecasts: startForecasts,
    window: [],
    changes: {
      up: { prefill: null, decode: null },
      down: { prefill: null, decode: null },
      regrets: { prefill: { count: 0, at: null }, decode: { count: 0, at: null } },
    },
    lastPaid: null,
    unschedulableUntil: LONG_AGO,
    insight: null,
    promised: { prefill: false, decode: false },
  }),
  tick,
};

/** Continues after a restart: what was learned stays, and when pools last changed; the view of the fleet's recent past does not. */
export function resume(state: FulcrumState, policy: Policy, at: number): FulcrumState {
  const { trim, changes } = state;
  const learned = revive(state.learned, policy.spec);
  const { regrets } = changes;
  const kept = {
    up: { prefill: past(changes.up.prefill, at), decode: past(changes.up.decode, at) },
    down: { prefill: past(changes.down.prefill, at), decode: past(changes.down.decode, at) },
    regrets: {
      prefill: { ...regrets.prefill, at: past(regrets.prefill.at, at) },
      decode: { ...regrets.decode, at: past(regrets.decode.at, at) },
    },
  };
  return { ...fulcrum.start(policy, state.prior, at), learned, trim, changes: kept, forecasts: resumeForecasts(state.forecasts) };
}

/** Another machine's clock may be ahead: a change in the future would be a cool-down without end. */
const past = (changedAt: number | null, at: number): number | null => (changedAt === null ? null : Math.min(changedAt, at));

const unwatched: StageProbe = (_stage, run) => run();

function tick(
  before: FulcrumState,
  o: Observation,
  policy: Policy,
  probe: StageProbe = unwatched,
): { state: FulcrumState; decision: Decision } {
  const { spec } = policy;
  const evidence = assess(o, spec);
  const current = { prefill: paid(o.pools.prefill?.replicas), decode: paid(o.pools.decode?.replicas) };
  const state = probe("learn", () => notice(before, o, current, evidence, policy));
  if (evidence.level === "none") {
    return { state, decision: hold(o, known(before, o, current, spec), { code: "insufficient-evidence", text: evidence.gaps.join("; ") }) };
  }
  const horizon = horizonOf(state.learned, current, spec);
  const eased = easeOf(state, spec);
  const seen = forecast(state.learned.workload, state.forecasts, o.at, horizon, eased);
  if (seen === undefined) {
    return {
      state,
      decision: hold(o, known(before, o, current, spec), { code: "within-range", text: "no request was seen yet: nothing to size by" }),
    };
  }
  const { demand, forecasts, level } = seen;
  return decide({ ...state, forecasts }, o, policy, {
    evidence,
    current,
    had: before.lastPaid ?? current,
    demand,
    level,
    horizon,
    probe,
    eased,
  });
}

function decide(
  state: FulcrumState,
  o: Observation,
  policy: Policy,
  now: {
    readonly evidence: Assessed;
    readonly current: Plan;
    readonly had: Plan;
    readonly demand: Demand;
    readonly level: Level;
    readonly horizon: number;
    readonly probe: StageProbe;
    readonly eased: Ease;
  },
): { state: FulcrumState; decision: Decision } {
  const { spec } = policy;
  const { current, demand, probe, eased } = now;
  const since = o.at - spec.behavior.scaleDown.stabilization;
  const window: [...Moment[], Moment] = [...state.window.filter((w) => w.at > since), { at: o.at, demand, level: now.level }];
  const situation = situate(state, state.learned, demand, o, spec);
  const bounds = boundsOf(spec, state, o.at, current);
  const targets: Targets = { ttft: spec.objectives.ttft?.target ?? Infinity, itl: spec.objectives.itl?.target ?? Infinity };
  const heaviest = heaviestOf(window, o.at, now.horizon);
  const held = transferBound(o, state.learned.workload, state.prior);
  const proposal = probe("decide", () =>
    propose({
      current,
      bounds,
      targets,
      situation,
      worst: heaviest,
      convert: spec.rebalance.convert,
      spare: SPARE * (1 - Math.min(eased.prefill, eased.decode)),
      transferBound: held,
    }),
  );
  if (proposal === undefined) {
    const text = "no plan lies within the policy's minimum, maximum, ratio and GPU budget";
    return { state: { ...state, window }, decision: hold(o, known(state, o, current, spec), { code: "budget", text }) };
  }
  const here = weigh(current, bounds, proposal.targets, situation).prediction;
  const misses = countMisses(state.misses, o, proposal.targets, spec);
  const context: GuardContext = {
    at: o.at,
    spec,
    current,
    had: now.had,
    evidence: now.evidence.level,
    seen: o.at - (state.seenSince ?? o.at),
    changes: state.changes,
    gpus: bounds.gpus,
    conversion: proposal.conversion,
    floors: scheduledFloors(spec.schedule, o.at),
    // What the KV path delays is no fault of prefill.
    missing: { ...missing(misses), ...(held ? { prefill: false } : {}) },
    modelError: modelErrors(state.learned),
    idle: heaviest.arrivals * spec.behavior.scaleDown.stabilization < 1,
    nearEnough: nearEnough(here, proposal.targets, o, spec),
  };
  const guarded = probe("guard", () => guard(proposal.plan, context));
  const paused = spec.mode === "paused";
  const plan = paused ? current : guarded.plan;
  const insight = insightOf(state, situation, here, spec);
  const decision = compose({
    o,
    spec,
    plan,
    current,
    proposal,
    guarded: guarded.reasons,
    situation,
    worst: heaviest,
    bounds,
    evidence: now.evidence,
  });
  const promised = { prefill: here.ttft <= proposal.targets.ttft, decode: here.itl <= proposal.targets.itl };
  return { state: { ...state, window, insight, promised, misses }, decision };
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
  const held = (seen: Summary | undefined, objective: { quantile: number; target: number } | undefined): boolean =>
    seen === undefined || objective === undefined || (attainedShare(seen, objective.target) ?? 1) >= objective.quantile;
  return held(ttft, spec.objectives.ttft) && held(itl, spec.objectives.itl);
}

/** The last counts that were known: a pool whose replicas are unseen keeps what it had, or the policy's minimum; so does one that lost them. */
function known(s: FulcrumState, o: Observation, current: Plan, spec: PolicySpec): Plan {
  const kept = (role: "prefill" | "decode"): number => {
    const { min } = spec.pools[role].replicas;
    if (o.pools[role]?.replicas === undefined) return s.lastPaid?.[role] ?? min;
    return current[role] >= min ? current[role] : Math.max(min, s.lastPaid?.[role] ?? min);
  };
  return { prefill: kept("prefill"), decode: kept("decode") };
}
