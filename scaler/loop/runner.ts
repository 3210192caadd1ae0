import { setTimeout as sleep } from "node:timers/promises";
import { inForce, type ModeOverride } from "../../core/override.ts";
import type { NodeReport } from "../../wire/messages.ts";
import type { ActResult, Actuator, ClusterFacts } from "../act/actuator.ts";
import type { Prior } from "../decide/controller.types.ts";
import { digest } from "../decide/digest.ts";
import { lowered, tickOverridden } from "../decide/overridden.ts";
import type { FleetView } from "../intake/fleet-view.ts";
import type { Stitched } from "../intake/stitch.ts";
import type { Journal } from "../journal/append.ts";
import type { StartRecord } from "../journal/records.ts";
import type { Log } from "../log.ts";
import type { OverrideStore } from "../overrides/store.ts";
import type { Policy } from "../policy/schema.ts";
import type { Telemetry } from "../telemetry.ts";
import { VERSION } from "../version.ts";
import type { PolicyCheckpoint } from "../journal/checkpoint.ts";
import { begin, checkpointOf, type BeginInput } from "./begin.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { ControllerKit } from "./kit.ts";
import { noteTurns, type Turns } from "./reversals.ts";
import { createSight } from "./sight.ts";
import type { TickView } from "./tick-view.ts";

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
  /** The next tick goes on as after a restart: what is learned stays, what was seen of the fleet is too old to act on. */
  takeOver(): void;
  /** Runs one tick now; the loop calls it by itself. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

export interface RunnerDeps<State> {
  readonly kit: ControllerKit<State>;
  readonly prior: Prior;
  readonly actuator: Actuator;
  /** True while another scaler leads: then this one decides nothing, and tells nothing. */
  readonly standby?: () => boolean;
  readonly journal: Journal | undefined;
  readonly checkpointer: Checkpointer;
  /** What operators have said about modes. */
  readonly overrides: Pick<OverrideStore, "current" | "renew">;
  readonly telemetry: Telemetry;
  readonly clock: () => number;
  readonly fleet: () => FleetView;
  readonly onTick: (view: TickView) => void;
  readonly log: Log;
}

export function startRunner<State>(name: string, policy: Policy, deps: RunnerDeps<State>): Runner {
  const { kit, prior, clock, log, telemetry } = deps;
  const stopping = new AbortController();
  let state = begin({ kit, policy, prior, at: clock(), name, kept: deps.checkpointer.get(name), log });
  // The state up to which the journal tells: a new file must start from there, not from a tick whose line is still to come.
  let journalled = state;
  const sight = createSight(name, policy, deps);
  let turns: Turns = {};
  let last: TickView | undefined;
  let lastAt = clock();
  let takingOver = false;
  /** Whether the journal knows of this runner. */
  let told = false;

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

  async function tick(): Promise<void> {
    await telemetry.stage("tick", { "fulcrum.policy": name }, async (note) => {
      const seen = await telemetry.stage("intake", {}, () => sight.look(stopping.signal));
      const { observation } = seen.observed;
      await deps.overrides.renew();
      const override = overridden(seen.at);
      const next = tickOverridden(kit.controller, { state, observation, policy, override }, telemetry.compute);
      state = next.state;
      const { decision } = next;
      note({ "fulcrum.reason": decision.reasons[0]?.code ?? "", "fulcrum.hold": decision.hold });
      const result = await telemetry.stage("act", {}, async (noteResult) => {
        const done = await act(seen.facts, seen.error, decision, override);
        noteResult({ "fulcrum.outcome": done.outcome });
        return done;
      });
      tell(result);
      const noted = noteTurns(turns, result.actions, seen.at);
      turns = noted.turns;
      last = {
        name,
        at: seen.at,
        policy,
        override,
        observation,
        decision,
        result,
        facts: seen.facts,
        insight: kit.insight(state),
        ttftSource: seen.observed.ttftSource,
        gpus: seen.gpus,
        reversals: noted.reversals,
      };
      note({ "fulcrum.outcome": result.outcome });
      await telemetry.stage("journal", {}, async () => keep(last));
      deps.onTick(last);
    });
  }

  /** Without facts nothing is written: the decision was a hold, or it was about replicas nobody can see. */
  async function act(
    facts: ClusterFacts | undefined,
    error: string | undefined,
    decision: TickView["decision"],
    override: ModeOverride | undefined,
  ): Promise<ActResult> {
    // What was said while it was decided counts too.
    const carried = lowered(lowered(policy, override), overridden(clock()));
    if (facts !== undefined) return deps.actuator.apply(carried, decision, facts, stopping.signal, sight.health());
    return { outcome: decision.hold ? "held" : "failed", actions: [], error: error ?? "the cluster could not be asked" };
  }

  const overridden = (at: number): ModeOverride | undefined => inForce(deps.overrides.current(), name, policy.spec.mode, at);

  /** What was changed, and what went wrong: once, not at every tick of an outage. */
  function tell(result: ActResult): void {
    for (const { role, pool, kind, from, to } of result.actions) log.info({ policy: name, role, pool, kind, from, to }, "act: changed");
    if (result.error !== last?.result.error) {
      if (result.error === undefined) log.info({ policy: name }, "act: the cluster answers again");
      else log.warn({ policy: name, error: result.error }, "act: nothing could be done");
    }
  }

  async function keep(view: TickView | undefined): Promise<void> {
    if (view === undefined) return;
    const { at, observation, decision, override, result, facts } = view;
    deps.checkpointer.put(name, checkpointOf(kit, policy, prior, at, state));
    const { outcome, actions, error } = result;
    const told = {
      ...(override === undefined ? {} : { override }),
      ...(facts?.progress === undefined ? {} : { progress: facts.progress }),
    };
    const record = { kind: "tick", at, name, observation, decision, stateDigest: digest(state), outcome, actions, ...told } as const;
    const after = state;
    await deps.journal?.append(error === undefined ? record : { ...record, error });
    journalled = after;
  }

  /** A tick that throws is a bug of ours: it is told, the policy starts anew from what is known, and the others go on. */
  async function safely(): Promise<void> {
    try {
      if (takingOver) await startOver(await inherited());
      else if (!told) await begun();
      await tick();
    } catch (error) {
      if (stopping.signal.aborted) return;
      log.error({ err: error, policy: name }, "loop: a tick failed; this policy starts anew");
      await startOver(undefined);
    } finally {
      lastAt = clock();
    }
  }

  /** What the leader before us had learned, unless we know later things ourselves. */
  async function inherited(): Promise<PolicyCheckpoint> {
    await deps.checkpointer.renew();
    const own = checkpointOf(kit, policy, prior, last?.at ?? 0, state);
    const left = deps.checkpointer.get(name);
    return left !== undefined && left.at > own.at ? left : own;
  }

  async function startOver(kept: BeginInput<State>["kept"]): Promise<void> {
    takingOver = false;
    state = begin({ kit, policy, prior, at: clock(), name, kept, log });
    await begun();
  }

  async function begun(): Promise<void> {
    told = true;
    const from = state;
    await deps.journal?.append(startRecord(from));
    journalled = from;
  }

  async function run(): Promise<void> {
    // Where another scaler may lead, its journal is the one that goes on: ours begins with our first tick.
    if (deps.standby === undefined) await begun();
    const interval = policy.spec.behavior.interval;
    let due = clock() + interval;
    while (!stopping.signal.aborted) {
      // A late tick does not make the next ones hurry.
      due = Math.max(due, clock());
      await sleep((due - clock()) * 1000, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      if (deps.standby?.() === true) lastAt = clock();
      else await safely();
      due += interval;
    }
  }

  const running = run();
  return {
    name,
    policy,
    report: sight.report,
    stitched: sight.stitched,
    last: () => last,
    idle: () => clock() - lastAt,
    startRecord: () => startRecord(journalled),
    takeOver: () => void (takingOver = true),
    tick: safely,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
