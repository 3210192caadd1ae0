import type { Observation } from "../../core/observation.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import type { Split } from "../backtest/setup.ts";
import { paid, poolBounds, toDecision, within } from "./decision.ts";
import { hitRate, meanAnswer, meanPrompt, nothingSeen, seeLengths, type SeenLengths } from "./lengths.ts";
import { clampBudget } from "./planner-budget.ts";
import { decodeStep, easyDecodeStep, easyPrefillStep, prefillStep, type EngineLoad } from "./planner-load.ts";
import { learnModel, newModel, type PlannerModel } from "./planner-model.ts";
import { learnPoint, newPredictor, predictNext, type Predictor } from "./planner-predictor.ts";
import { decodeRate, prefillRate } from "./planner-throughput.ts";

/**
 * Dynamo's planner (ai-dynamo/dynamo, components/src/dynamo/planner, main of September 2026), disaggregated:
 * `sla-planner`: `optimization_target: sla`, both loops. Every 180 s the throughput loop forecasts requests and lengths
 * and sets lower bounds ceil(requests/s ÷ requests/s of one engine); every 5 s the load loop moves each pool by at most
 * one replica on estimated TTFT and ITL. A pool in transition holds both. Then minimum and the proportional budget clamp.
 * `planner-default`: the shipped `optimization_target: throughput`, the 5 s loop alone on queue and KV fill.
 *
 * Its averages `ttft_ms` and `itl_ms` are given the policy's targets; `max_gpu_budget` the policy's budget. Engines are
 * seen as the pool's mean, which makes its "all engines over" rule react sooner than per engine. A window without any
 * metric reads as zero traffic (in the tree read; since changed by #14575).
 */
const THROUGHPUT_SECONDS = 180;
const LOAD_SECONDS = 5;
/** The engine's model length, denominator of the easy mode: Llama 3.1. */
const CONTEXT_LENGTH = 131_072;

export interface PlannerState {
  readonly loadAt: number;
  readonly throughputAt: number;
  readonly model: PlannerModel;
  readonly window: SeenLengths;
  readonly windowSeconds: number;
  readonly recent: SeenLengths;
  readonly predictors: { readonly requests: Predictor; readonly prompt: Predictor; readonly answer: Predictor };
  readonly floor: Split;
  readonly desired: Split | null;
}

type Mode = "sla" | "throughput";

export const slaPlanner: Controller<PlannerState> = plannerOf("sla-planner", "sla");
export const plannerDefault: Controller<PlannerState> = plannerOf("planner-default", "throughput");

function plannerOf(name: string, mode: Mode): Controller<PlannerState> {
  return {
    name,
    start: (policy, prior, at) => ({
      loadAt: at,
      throughputAt: at,
      model: newModel(prior),
      window: nothingSeen,
      windowSeconds: 0,
      recent: nothingSeen,
      predictors: { requests: newPredictor, prompt: newPredictor, answer: newPredictor },
      floor: { prefill: policy.spec.pools.prefill.replicas.min, decode: policy.spec.pools.decode.replicas.min },
      desired: null,
    }),
    tick(before, o, policy) {
      let state = watch(before, o);
      if (mode === "sla" && o.at - state.throughputAt >= THROUGHPUT_SECONDS) state = throughputLoop(state, o, policy);
      const ready = { prefill: paid(o.pools.prefill?.replicas), decode: paid(o.pools.decode?.replicas) };
      if (o.at - state.loadAt >= LOAD_SECONDS) state = loadLoop(state, o, policy, mode);
      const desired = state.desired ?? ready;
      const text = `at least ${state.floor.prefill}/${state.floor.decode} by the throughput loop`;
      return { state, decision: toDecision(o, desired, text) };
    },
  };
}

function watch(state: PlannerState, o: Observation): PlannerState {
  const recent = seeLengths(state.recent, o, LOAD_SECONDS * 6);
  return {
    ...state,
    recent,
    window: seeLengths(state.window, o, Infinity),
    windowSeconds: state.windowSeconds + (o.pools.prefill?.interval?.seconds ?? 0),
    model: learnModel(state.model, o, Math.max(1, meanPrompt(recent))),
  };
}

function throughputLoop(state: PlannerState, o: Observation, policy: Policy): PlannerState {
  const w = state.window;
  // `increase()` extrapolates over a gap in the samples; nothing sampled at all is read as no traffic.
  const requests = state.windowSeconds > 0 ? (w.requests * THROUGHPUT_SECONDS) / state.windowSeconds : 0;
  const { predictors: p } = state;
  const predictors = {
    requests: learnPoint(p.requests, requests),
    prompt: w.requests > 0 ? learnPoint(p.prompt, meanPrompt(w)) : p.prompt,
    answer: w.finished > 0 ? learnPoint(p.answer, meanAnswer(w)) : p.answer,
  };
  const next = { ...state, throughputAt: o.at, window: nothingSeen, windowSeconds: 0, predictors };
  const { objectives, pools } = policy.spec;
  const prompt = predictNext(predictors.prompt);
  const answer = predictNext(predictors.answer);
  if (prompt <= 0 || answer <= 0) return next;
  const load = {
    prompt,
    answer,
    hitRate: hitRate(w),
    ...limitsOf(state, o),
    ttft: objectives.ttft?.target ?? Infinity,
    itl: objectives.itl?.target ?? Infinity,
  };
  const demand = predictNext(predictors.requests) / THROUGHPUT_SECONDS;
  const floor = {
    prefill: Math.max(pools.prefill.replicas.min, Math.ceil(demand / prefillRate(state.model, load))),
    decode: Math.max(pools.decode.replicas.min, Math.ceil(demand / decodeRate(state.model, load))),
  };
  return { ...next, floor };
}

function limitsOf(state: PlannerState, o: Observation) {
  return {
    maxBatchedTokens: o.pools.prefill?.limits?.maxBatchedTokens ?? 8192,
    maxNumSeqs: o.pools.decode?.limits?.maxNumSeqs ?? 256,
    kvTokens: o.pools.decode?.kvCapacityTokens ?? state.model.prior.kvCapacityTokens,
  };
}

function loadLoop(before: PlannerState, o: Observation, policy: Policy, mode: Mode): PlannerState {
  const state = { ...before, loadAt: o.at };
  const { prefill, decode } = o.pools;
  if (prefill?.replicas === undefined || decode?.replicas === undefined) return state;
  const moving = [prefill.replicas, decode.replicas].some(({ starting, draining }) => starting.length + draining > 0);
  const short =
    state.desired !== null && (prefill.replicas.ready !== state.desired.prefill || decode.replicas.ready !== state.desired.decode);
  // Pods still starting, leaving or unschedulable: scaling in progress, or the counts of engines and pods differ.
  if (moving || short) return state;
  const now = { prefill: prefill.replicas.ready, decode: decode.replicas.ready };
  const p = engine(state, o, "prefill");
  const d = engine(state, o, "decode");
  if (p === undefined || d === undefined) return { ...state, desired: now };
  const { ttft, itl } = policy.spec.objectives;
  const steps =
    mode === "sla"
      ? {
          prefill: ttft === undefined ? 0 : prefillStep(state.model, p, ttft.target),
          decode: itl === undefined ? 0 : decodeStep(state.model, d, itl.target),
        }
      : { prefill: easyPrefillStep(p, CONTEXT_LENGTH), decode: easyDecodeStep(d) };
  const wanted = {
    prefill: within(Math.max(now.prefill + steps.prefill, state.floor.prefill), poolBounds(policy, "prefill")),
    decode: within(Math.max(now.decode + steps.decode, state.floor.decode), poolBounds(policy, "decode")),
  };
  return { ...state, desired: clampBudget(wanted, policy.spec) };
}

/** Undefined without forward-pass metrics: the planner then holds. */
function engine(state: PlannerState, o: Observation, role: "prefill" | "decode"): EngineLoad | undefined {
  const { prefill, decode } = o.pools;
  const replicas = o.pools[role]?.replicas?.ready ?? 0;
  const queued = o.pools[role]?.queue?.requests;
  const running = decode?.running;
  if (replicas < 1 || queued === undefined || running?.requests === undefined || running.kvTokens === undefined) return undefined;
  const prompt = meanPrompt(state.recent);
  const context = prompt + meanAnswer(state.recent) / 2;
  return {
    replicas,
    queuedTokens: ((prefill?.queue?.requests ?? 0) * prompt) / replicas,
    prompt,
    hitRate: hitRate(state.recent),
    sequences: (running.requests + (decode?.queue?.requests ?? 0)) / replicas,
    kvTokens: (running.kvTokens + (decode?.queue?.requests ?? 0) * context) / replicas,
    context,
    kvCapacity: limitsOf(state, o).kvTokens,
    maxBatchedTokens: limitsOf(state, o).maxBatchedTokens,
  };
}
