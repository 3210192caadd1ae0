import type { GaugeName } from "../../core/engines/canonical.ts";
import type { EngineSample } from "../../core/engines/page.ts";
import type { EngineTarget } from "../../core/targets.ts";
import type { ReplicaReport } from "../../wire/messages.ts";
import { type Cumulative, type Pending, advance, baseline, nothingPending, zero } from "./pending.ts";

/** Everything the agent remembers of one replica between scrapes. Times are Unix seconds. */
export interface ReplicaState {
  readonly target: EngineTarget;
  /** Undefined until known: the first sample of a replica older than the agent becomes it. */
  readonly before: Cumulative | undefined;
  readonly pending: Pending;
  readonly gauges: Readonly<Partial<Record<GaugeName, number>>>;
  /** As the engine's page says it; several-process pages do not. */
  readonly processStartTime: number | undefined;
  /** When the figures were read; undefined = never. */
  readonly sampledAt: number | undefined;
  readonly failing: boolean;
}

/**
 * A replica born after the agent has been watched all its life: its counters count from zero, so totals are exact. For an
 * older one only the agent is new: what it shows first is where counting starts, and an agent's restart adds nothing twice.
 */
export const newReplica = (target: EngineTarget, agentStartedAt: number): ReplicaState => ({
  target,
  before: target.startedAt > agentStartedAt ? zero : undefined,
  pending: nothingPending,
  gauges: {},
  processStartTime: undefined,
  sampledAt: undefined,
  failing: false,
});

/** New facts about a known pod. A later `startedAt` under the same name is a new life. */
export function retarget(state: ReplicaState, target: EngineTarget): ReplicaState {
  return target.startedAt === state.target.startedAt ? { ...state, target } : { ...reborn(state), target };
}

/** Counters start at zero again, whether or not they have already grown past what they were. */
function reborn(state: ReplicaState): ReplicaState {
  const resets = state.pending.resets + (state.sampledAt === undefined ? 0 : 1);
  const pending = { ...state.pending, resets };
  return { ...state, before: zero, pending, gauges: {}, processStartTime: undefined, sampledAt: undefined, failing: false };
}

export function observeSample(previous: ReplicaState, sample: EngineSample, at: number): ReplicaState {
  const started = sample.processStartTime;
  const restarted = started !== undefined && previous.processStartTime !== undefined && started > previous.processStartTime;
  const state = restarted ? reborn(previous) : previous;
  const known = state.before ?? sample;
  return {
    ...state,
    before: baseline(known, sample),
    pending: advance(state.pending, known, sample),
    gauges: sample.gauges,
    processStartTime: started,
    sampledAt: at,
    failing: false,
  };
}

export const observeFailure = (state: ReplicaState): ReplicaState => ({ ...state, failing: true });

/** Takes the pending deltas out; each is reported once. */
export const drained = (state: ReplicaState): ReplicaState => ({ ...state, pending: nothingPending });

/**
 * The replica as reported. One that should answer and does not is `unreachable`, without gauges: old gauges would look
 * like measurements. A starting or draining replica is expected not to answer and keeps its phase.
 */
export function replicaReport(state: ReplicaState, now: number): ReplicaReport {
  const { target, failing, sampledAt } = state;
  return {
    pod: target.pod,
    phase: failing && target.phase === "ready" ? "unreachable" : target.phase,
    age: Math.max(0, now - target.startedAt),
    ...(sampledAt !== undefined && { sampleAge: Math.max(0, now - sampledAt) }),
    gauges: failing ? {} : { ...state.gauges },
  };
}
