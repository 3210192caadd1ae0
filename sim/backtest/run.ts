import type { Decision } from "../../core/decision.ts";
import type { Summary } from "../../core/summary.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import { createPlant } from "../plant/plant.ts";
import type { Plant, RequestRecord } from "../plant/plant.types.ts";
import { countActions, type Actions, type TimelineRow } from "./actions.ts";
import { createFaultScript, type FaultScript } from "./fault-script.ts";
import { createRecorder, type Limits, type Recorder } from "./recorder.ts";
import { createScores, type Attainment, type Scores } from "./scores.ts";
import type { Trace } from "../traces/trace.types.ts";
import { plantConfig, type BacktestSetup, type Split } from "./setup.ts";

/** One run of formats §4, without what only a clock can tell. */
export interface RunResult {
  readonly controller: string;
  readonly initial: Split;
  readonly attainment: Attainment;
  readonly ttft: Summary | undefined;
  readonly itl: Summary | undefined;
  readonly completed: number;
  readonly unfinished: number;
  readonly gpuHours: number;
  readonly actions: Actions;
  readonly timeline: readonly TimelineRow[];
  readonly decisions: number;
  readonly holds: number;
  /** The run was stopped because `giveUp` said so: its figures are partial. */
  readonly aborted: boolean;
}

export interface RunHooks {
  /** Told at every tick: how much of the trace has passed, 0..1. */
  readonly progress?: (share: number) => void;
  /** Asked at every tick; true ends the run early. */
  readonly giveUp?: (scores: Scores) => boolean;
}

/** After the last arrival the plant may go on this long to finish; a starved plan must not run for ever. */
const GRACE_SECONDS = 600;

/** Drives a controller through the trace; without one the initial split stays. */
export function runBacktestOnce<State>(
  setup: BacktestSetup,
  initial: Split,
  name: string,
  controller: Controller<State> | undefined,
  hooks: RunHooks = {},
): RunResult {
  const { policy, trace } = setup;
  const interval = policy.spec.behavior.interval;
  const scores = createScores(policy.spec);
  const scored = (record: RequestRecord): void => scores.add(record);
  const recorder = controller === undefined ? undefined : createRecorder(setup, scored);
  const plant = createPlant(plantConfig(setup, initial), setup.prior, recorder?.sink ?? { finished: scored });
  const driver = controller === undefined || recorder === undefined ? undefined : createDriver(setup, controller, plant, recorder);
  const timeline: TimelineRow[] = [[0, initial.prefill, initial.decode]];
  const course = createCourse(trace, plant, createFaultScript(setup.faults), recorder);
  let aborted = false;
  for (let tick = 1; ; tick += 1) {
    const at = tick * interval;
    course.advanceTo(at);
    hooks.progress?.(Math.min(1, at / Math.max(1e-9, trace.seconds)));
    const ended = course.submitted() >= trace.requests.length && at >= trace.seconds;
    if ((ended && plant.inFlight() === 0) || at >= trace.seconds + GRACE_SECONDS) break;
    if (hooks.giveUp?.(scores) === true) {
      aborted = true;
      break;
    }
    driver?.tick(at);
    noteTimeline(timeline, plant, at);
  }
  return {
    controller: name,
    initial,
    attainment: scores.attainment(trace.requests.length),
    ttft: scores.ttft(),
    itl: scores.itl(),
    completed: scores.completed,
    unfinished: trace.requests.length - scores.completed,
    gpuHours: plant.gpuSeconds() / 3600,
    actions: countActions(timeline),
    timeline,
    decisions: driver?.decisions() ?? 0,
    holds: driver?.holds() ?? 0,
    aborted,
  };
}

interface Course {
  advanceTo(at: number): void;
  /** Requests of the trace that were handed to the plant. */
  submitted(): number;
}

/** Takes the plant through the trace, stopping where a fault begins or ends and where agents report. */
function createCourse(trace: Trace, plant: Plant, faults: FaultScript, recorder: Recorder | undefined): Course {
  let next = 0;
  const advance = (at: number): void => {
    for (let request = trace.requests[next]; request !== undefined && request.arrival <= at; request = trace.requests[next]) {
      plant.submit(request);
      recorder?.arrived(request);
      next += 1;
    }
    plant.advanceTo(at);
  };
  return {
    submitted: () => next,
    advanceTo(at) {
      for (;;) {
        const fault = faults.next();
        const report = recorder?.nextReport() ?? Infinity;
        if (Math.min(fault, report) > at) break;
        advance(Math.min(fault, report));
        // What breaks in the instant of a report is in the report.
        if (fault <= report) faults.play(plant);
        else recorder?.report(plant);
      }
      advance(at);
    },
  };
}

interface Driver {
  tick(at: number): void;
  decisions(): number;
  holds(): number;
}

/** Observes, asks the controller, applies: the same steps as in production, with the plant as the cluster. */
function createDriver<State>(setup: BacktestSetup, controller: Controller<State>, plant: Plant, recorder: Recorder): Driver {
  const { policy } = setup;
  const config = plantConfig(setup, { prefill: 0, decode: 0 });
  let limits: Limits = { maxBatchedTokens: config.prefill.maxBatchedTokens, maxNumSeqs: config.decode.maxNumSeqs };
  let state = controller.start(policy, setup.believed ?? setup.prior, 0);
  let decisions = 0;
  let holds = 0;
  return {
    decisions: () => decisions,
    holds: () => holds,
    tick(at) {
      const observation = recorder.observe(plant, at, limits);
      const result = controller.tick(state, observation, policy);
      state = result.state;
      decisions += 1;
      if (result.decision.hold) holds += 1;
      limits = apply(setup, plant, result.decision, limits);
    },
  };
}

/** Replica targets always act; batch limits only where the policy lets them (`recommend` stays a recommendation). */
function apply(setup: BacktestSetup, plant: Plant, decision: Decision, limits: Limits): Limits {
  const { prefill, decode } = decision.pools;
  const { pools } = setup.policy.spec;
  // The shrinking pool first: a conversion's GPUs must be free before the other pool can take them.
  if (setup.policy.spec.rebalance.roleSwitch) switchRoles(plant, prefill.replicas, decode.replicas);
  const shrinkFirst = decode.replicas < plant.desired("decode");
  if (shrinkFirst) plant.scale("decode", decode.replicas);
  plant.scale("prefill", prefill.replicas);
  if (!shrinkFirst) plant.scale("decode", decode.replicas);
  const next = {
    maxBatchedTokens:
      pools.prefill.batch.apply === "recommend" ? limits.maxBatchedTokens : (prefill.limits?.maxBatchedTokens ?? limits.maxBatchedTokens),
    maxNumSeqs: pools.decode.batch.apply === "recommend" ? limits.maxNumSeqs : (decode.limits?.maxNumSeqs ?? limits.maxNumSeqs),
  };
  if (next.maxBatchedTokens !== limits.maxBatchedTokens || next.maxNumSeqs !== limits.maxNumSeqs) plant.setLimits(next);
  return next;
}

/** Where one pool shrinks and the other grows, replicas change role in place: no lead time, no new GPU. */
function switchRoles(plant: Plant, prefill: number, decode: number): void {
  const [growPrefill, growDecode] = [prefill - plant.desired("prefill"), decode - plant.desired("decode")];
  if (growPrefill * growDecode >= 0) return;
  plant.switchRole(growPrefill < 0 ? "prefill" : "decode", Math.min(Math.abs(growPrefill), Math.abs(growDecode)));
}

/** Ready and starting replicas, whenever they changed. */
function noteTimeline(timeline: TimelineRow[], plant: Plant, at: number): void {
  let prefill = 0;
  let decode = 0;
  for (const replica of plant.replicas()) {
    if (replica.phase === "draining" && replica.becomes === undefined) continue;
    if ((replica.becomes?.role ?? replica.role) === "prefill") prefill += 1;
    else decode += 1;
  }
  const last = timeline.at(-1);
  if (last === undefined || last[1] !== prefill || last[2] !== decode) timeline.push([at, prefill, decode]);
}
