import { CALM } from "../plant/disturb.ts";
import type { Disturbance, Plant, PlantRole } from "../plant/plant.types.ts";
import type { Fault, Window } from "./faults.ts";

/** The faults of one run as a list of moments at which something is done to the plant. */
export interface FaultScript {
  /** When the next one is due; Infinity when all are done. */
  next(): number;
  /** Does what is due at `next()`; the plant stands there. */
  play(plant: Plant): void;
}

export function createFaultScript(faults: readonly Fault[]): FaultScript {
  const moments = [...new Set(faults.flatMap(momentsOf))].filter(Number.isFinite).sort((a, b) => a - b);
  let index = 0;
  return {
    next: () => moments[index] ?? Infinity,
    play(plant) {
      const at = moments[index] ?? Infinity;
      index += 1;
      plant.disturb(disturbanceAt(faults, at));
      for (const fault of faults) if (fault.kind === "replica-crash" && fault.at === at) crashOldest(plant, fault.role);
    },
  };
}

/** Metrics loss and clock skew happen between the agents and the scaler: the plant knows nothing of them. */
function momentsOf(fault: Fault): number[] {
  if (fault.kind === "replica-crash") return [fault.at];
  return fault.kind === "metrics-loss" || fault.kind === "clock-skew" ? [] : [fault.from, fault.to];
}

const covers = ({ from, to }: Window, at: number): boolean => at >= from && at < to;

/** Faults of one kind that overlap multiply. */
function disturbanceAt(faults: readonly Fault[], at: number): Disturbance {
  let { link, prefill, decode, leadTime, schedulable } = CALM;
  for (const fault of faults) {
    if (!("from" in fault) || !covers(fault, at)) continue;
    if (fault.kind === "link-slow") link *= fault.factor;
    else if (fault.kind === "slow-start") leadTime *= fault.factor;
    else if (fault.kind === "unschedulable") schedulable = false;
    else if (fault.kind === "gpu-throttle") {
      if (fault.role !== "decode") prefill *= fault.factor;
      if (fault.role !== "prefill") decode *= fault.factor;
    }
  }
  return { link, prefill, decode, leadTime, schedulable };
}

/** The oldest ready replica of the pool ends at once, as kill -9 would. */
function crashOldest(plant: Plant, role: PlantRole): void {
  const victim = plant.replicas().find((replica) => replica.role === role && replica.phase === "ready");
  if (victim !== undefined) plant.crash(victim.id);
}

/** Whether a report made at `at` never leaves its node. */
export const reportsLost = (faults: readonly Fault[], at: number): boolean =>
  faults.some((fault) => fault.kind === "metrics-loss" && at > fault.from && at <= fault.to);

/** How far a node's clock is ahead. */
export const clockSkew = (faults: readonly Fault[], node: number): number =>
  faults.reduce(
    (sum, fault) => (fault.kind === "clock-skew" && (fault.node === undefined || fault.node === node) ? sum + fault.seconds : sum),
    0,
  );
