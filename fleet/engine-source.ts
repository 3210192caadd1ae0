import type { PlantReplica, PlantRole } from "../sim/plant/plant.types.ts";
import { startEngineProcess, type EngineProcess, type EngineProcessEvents } from "./engine-process.ts";
import type { EngineStart } from "./engine/messages.ts";
import type { Placement, Placer } from "./placement.ts";

/** What makes a replica of the plant real. */
export interface Engine {
  readonly pod: string;
  readonly placement: Placement;
  readonly process: EngineProcess;
}

/** Where engines come from: child processes that the fleet starts, or pods that came by themselves (pod-engines.ts). */
export interface EngineSource {
  engineOf(replica: PlantReplica, events: EngineProcessEvents): Engine;
  /** The replica left the plant: its GPUs are free. */
  release(placement: Placement): void;
}

export interface ProcessSourceParts {
  readonly script: string;
  readonly podPrefix: string;
  readonly placer: Placer;
  readonly gpusPerReplica: (role: PlantRole) => number;
  readonly engineStart: (role: PlantRole, pod: string, node: string) => EngineStart;
}

/** A child process for each replica, with a pod's name and GPUs of a simulated node. */
export function processSource({ script, podPrefix, placer, gpusPerReplica, engineStart }: ProcessSourceParts): EngineSource {
  const nextPod: Record<PlantRole, number> = { prefill: 0, decode: 0 };
  return {
    engineOf({ role }, events) {
      const placement = placer.place(gpusPerReplica(role));
      const pod = `${podPrefix}-${role}-${nextPod[role]}`;
      nextPod[role] += 1;
      return { pod, placement, process: startEngineProcess(script, engineStart(role, pod, placement.node), events) };
    },
    release: (placement) => placer.release(placement),
  };
}
