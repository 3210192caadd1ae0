import type { Observation } from "../../core/observation.ts";
import type { ClusterFacts } from "../act/actuator.ts";
import type { Policy } from "../policy/schema.ts";
import { latestPools, type FleetView } from "./fleet-view.ts";
import { frontendOf } from "./frontend.ts";
import { gaugesOf, type Gauges } from "./gauges.ts";
import type { Interval, PoolInterval } from "./interval.ts";
import { observeDecode, observeTransfer } from "./observe-decode.ts";
import { observePrefill, type PrefillMemory } from "./observe-prefill.ts";
import { present } from "./present.ts";
import { isPool } from "./select.ts";
import type { Stitched } from "./stitch.ts";
import { chooseTtft, type TtftSource } from "./ttft-source.ts";

/** Everything one observation is made from. */
export interface ObserveInput {
  readonly now: number;
  readonly policy: Policy;
  readonly fleet: FleetView;
  /** Undefined when no report came since the last tick: then there are no figures, which is not the same as none. */
  readonly interval: Interval | undefined;
  readonly stitched: readonly Stitched[];
  /** Undefined when the cluster could not be asked: replica counts are then absent. */
  readonly facts: ClusterFacts | undefined;
  readonly memory: ObserveMemory;
}

export interface ObserveMemory {
  readonly prefill: PrefillMemory;
}

export const noMemory: ObserveMemory = { prefill: { inside: undefined, promptTokens: undefined } };

export interface Observed {
  readonly observation: Observation;
  readonly memory: ObserveMemory;
  readonly ttftSource: TtftSource | undefined;
}

/** Fleet view + cluster facts + interval → the observation a controller decides on. Pure. */
export function observe(input: ObserveInput): Observed {
  const { policy, interval, facts, now } = input;
  const { objectives } = policy.spec;
  const of = (role: "prefill" | "decode" | "frontend"): readonly PoolInterval[] =>
    [...(interval?.pools.values() ?? [])].filter((pool) => isPool(policy, role, pool.id));
  const [prefillInterval] = of("prefill");
  const [decodeInterval] = of("decode");
  const frontend = frontendOf(of("frontend"));
  const ttft = chooseTtft({
    prefill: prefillInterval,
    decode: decodeInterval,
    frontend,
    stitched: input.stitched,
    target: objectives.ttft?.target,
  });
  const decodeGauges = gauges(input, "decode");
  const prefill = observePrefill({
    gauges: gauges(input, "prefill"),
    facts: facts?.prefill,
    interval: prefillInterval,
    ttft: ttft?.summary,
    memory: input.memory.prefill,
  });
  const decode = observeDecode({
    gauges: decodeGauges,
    facts: facts?.decode,
    interval: decodeInterval,
    frontend,
    itlTarget: objectives.itl?.target,
  });
  const observation = present<Observation>({
    type: "observation",
    at: now,
    pools: { prefill: prefill.observation, decode },
    transfer: observeTransfer(prefillInterval, decodeInterval, decodeGauges.sum("waitingForKv")),
    unschedulable: facts === undefined ? undefined : refusedGpus(policy, facts),
  });
  return { observation, memory: { prefill: prefill.memory }, ttftSource: ttft?.source };
}

function gauges({ fleet, now, policy, facts }: ObserveInput, role: "prefill" | "decode"): Gauges {
  const latest = latestPools(fleet, now, (pool) => isPool(policy, role, pool));
  return gaugesOf(latest, facts?.[role], policy.spec.behavior.evidence.maxAge);
}

/** GPUs of replicas that were asked for and found none. */
const refusedGpus = ({ spec }: Policy, facts: ClusterFacts): number =>
  facts.prefill.unschedulable * spec.pools.prefill.gpusPerReplica + facts.decode.unschedulable * spec.pools.decode.gpusPerReplica;
