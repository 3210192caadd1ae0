import { setTimeout as sleep } from "node:timers/promises";
import type { NodeReport } from "../../wire/messages.ts";
import type { ActResult, Actuator, ClusterFacts } from "../act/actuator.ts";
import type { Prior } from "../decide/controller.types.ts";
import { digest } from "../decide/digest.ts";
import type { FleetView } from "../intake/fleet-view.ts";
import { closeInterval, remember, startInterval } from "../intake/interval.ts";
import { noMemory, observe, type Observed } from "../intake/observe.ts";
import { belongs } from "../intake/select.ts";
import type { Stitched } from "../intake/stitch.ts";
import type { Journal } from "../journal/append.ts";
import type { StartRecord } from "../journal/records.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/schema.ts";
import type { Telemetry } from "../telemetry.ts";
import { VERSION } from "../version.ts";
import { begin, checkpointOf } from "./begin.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { ControllerKit } from "./kit.ts";
import { poolGpus } from "./pool-gpus.ts";
import { noteTurns, type Turns } from "./reversals.ts";
import { poolNameOf, type PoolGpus, type PoolRole, type TickView } from "./tick-view.ts";

/** One policy's control loop: facts → observe → decide → act → journal, once per interval, never overlapping itself. */
export interface Runner {
  readonly name: string;
  readonly policy: Policy;
  report(report: NodeReport): void;
  stitched(request: Stitched): void;
  /** The last tick, if there was one. */
  last(): TickView | undefined;
  /** Seconds since the last tick ended, or since the start. */
  idle(): number;
  /** A start record from where the journal stands: with it a new journal file replays alone. */
  startRecord(): StartRecord;
  /** Runs one tick now; the loop calls it by itself. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

export interface RunnerDeps<State> {
  readonly kit: ControllerKit<State>;
  readonly prior: Prior;
  readonly actuator: Actuator;
  readonly journal: Journal | undefined;
  readonly checkpointer: Checkpointer;
  readonly telemetry: Telemetry;
  readonly clock: () => number;
  readonly fleet: () => FleetView;
  readonly onTick: (view: TickView) => void;
  readonly log: Log;
}

/** Stitched requests kept for one interval; more only make its quantiles finer. */
const MAX_STITCHED = 20_000;

export function startRunner<State>(name: string, policy: Policy, deps: RunnerDeps<State>): Runner {
  const { kit, prior, clock, log, telemetry } = deps;
  const stopping = new AbortController();
  let state = begin({ kit, policy, prior, at: clock(), name, kept: deps.checkpointer.get(name), log });
  // The state up to which the journal tells: a new file must start from there, not from a tick whose line is still to come.
  let journalled = state;
  let reports = startInterval(clock());
  let requests: Stitched[] = [];
  let memory = noMemory;
  let turns: Turns = {};
  let last: TickView | undefined;
  let lastAt = clock();

  const startRecord = (from: State): StartRecord => ({
    kind: "start",
    at: clock(),
    version: VERSION,
    controller: kit.controller.name,
    name,
    policy,
    prior,
    state: from,
  });

  async function intake(): Promise<{
    readonly at: number;
    readonly observed: Observed;
    readonly facts: ClusterFacts | undefined;
    readonly error: string | undefined;
  }> {
    const asked = await deps.actuator.facts(policy, stopping.signal);
    const at = clock();
    const closed = closeInterval(reports, at, policy.spec.behavior.interval, (pool) => belongs(policy, pool));
    const observed = observe({
      now: at,
      policy,
      fleet: deps.fleet(),
      interval: closed?.interval,
      stitched: requests,
      facts: asked.ok ? asked.value : undefined,
      memory,
    });
    if (closed !== undefined) {
      reports = closed.next;
      requests = [];
      if (closed.interval.late > 0) log.info({ policy: name, reports: closed.interval.late }, "intake: late reports count in totals only");
    }
    memory = observed.memory;
    return { at, observed, facts: asked.ok ? asked.value : undefined, error: asked.ok ? undefined : asked.error };
  }

  async function tick(): Promise<void> {
    await telemetry.stage("tick", { "fulcrum.policy": name }, async (note) => {
      const seen = await telemetry.stage("intake", {}, intake);
      const { observation } = seen.observed;
      const decision = await telemetry.stage("decide", {}, async (noteDecision) => {
        const next = kit.controller.tick(state, observation, policy);
        state = next.state;
        noteDecision({ "fulcrum.reason": next.decision.reasons[0]?.code ?? "", "fulcrum.hold": next.decision.hold });
        return next.decision;
      });
      const result = await telemetry.stage("act", {}, async (noteResult) => {
        const done = await act(seen.facts, seen.error, decision);
        noteResult({ "fulcrum.outcome": done.outcome });
        return done;
      });
      const noted = noteTurns(turns, result.actions, seen.at);
      turns = noted.turns;
      last = {
        name,
        at: seen.at,
        policy,
        observation,
        decision,
        result,
        facts: seen.facts,
        insight: kit.insight(state),
        ttftSource: seen.observed.ttftSource,
        gpus: { prefill: gpus("prefill", seen.at), decode: gpus("decode", seen.at) },
        reversals: noted.reversals,
      };
      note({ "fulcrum.outcome": result.outcome });
      await telemetry.stage("journal", {}, async () => keep(last));
      deps.onTick(last);
    });
  }

  /** Without facts nothing is written: the decision was a hold, or it was about replicas nobody can see. */
  async function act(facts: ClusterFacts | undefined, error: string | undefined, decision: TickView["decision"]): Promise<ActResult> {
    if (facts !== undefined) return deps.actuator.apply(policy, decision, facts, stopping.signal);
    return { outcome: "failed", actions: [], error: error ?? "the cluster could not be asked" };
  }

  async function keep(view: TickView | undefined): Promise<void> {
    if (view === undefined) return;
    const { at, observation, decision, result } = view;
    deps.checkpointer.put(name, checkpointOf(kit, policy, prior, at, state));
    const { outcome, actions, error } = result;
    const record = { kind: "tick", at, name, observation, decision, stateDigest: digest(state), outcome, actions } as const;
    const after = state;
    await deps.journal?.append(error === undefined ? record : { ...record, error });
    journalled = after;
  }

  function gpus(role: PoolRole, at: number): PoolGpus {
    return poolGpus(deps.fleet(), at, poolNameOf(policy, role), role, policy.spec.behavior.evidence.maxAge);
  }

  /** A tick that throws is a bug of ours: it is told, the policy starts anew from what is known, and the others go on. */
  async function safely(): Promise<void> {
    try {
      await tick();
    } catch (error) {
      if (stopping.signal.aborted) return;
      log.error({ err: error, policy: name }, "loop: a tick failed; this policy starts anew");
      state = begin({ kit, policy, prior, at: clock(), name, kept: undefined, log });
      await begun();
    } finally {
      lastAt = clock();
    }
  }

  async function begun(): Promise<void> {
    const from = state;
    await deps.journal?.append(startRecord(from));
    journalled = from;
  }

  async function run(): Promise<void> {
    await begun();
    const interval = policy.spec.behavior.interval;
    let due = clock() + interval;
    while (!stopping.signal.aborted) {
      // A late tick does not make the next ones hurry.
      due = Math.max(due, clock());
      await sleep((due - clock()) * 1000, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      await safely();
      due += interval;
    }
  }

  const running = run();
  return {
    name,
    policy,
    report: (report) => (reports = remember(reports, report)),
    stitched(request) {
      if (requests.length < MAX_STITCHED) requests.push(request);
    },
    last: () => last,
    idle: () => clock() - lastAt,
    startRecord: () => startRecord(journalled),
    tick: safely,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
