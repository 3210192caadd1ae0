import type { Plant, PlantPhase, PlantReplica, PlantRole } from "../sim/plant/plant.types.ts";
import { createEngineFeed, type EngineFeed } from "./engine-feed.ts";
import type { EngineProcess } from "./engine-process.ts";
import type { EngineSource } from "./engine-source.ts";
import type { EngineGauges } from "./engine/messages.ts";
import type { GpuDevice } from "./gpu-devices.ts";
import type { Placement } from "./placement.ts";

/** A replica of the plant with what makes it real: a pod name, GPUs on a node, a process. */
export interface LiveReplica {
  readonly id: number;
  readonly role: PlantRole;
  readonly pod: string;
  readonly placement: Placement;
  /** Plant seconds. */
  readonly createdAt: number;
  readonly process: EngineProcess;
  readonly feed: EngineFeed;
  phase: PlantPhase;
  view: PlantReplica;
}

export interface RegistryParts {
  readonly source: EngineSource;
  readonly devices: readonly GpuDevice[];
  /** KV hand-offs under way out of a prefill replica. */
  readonly sending: (replica: number) => number;
  /** The process of a replica ended by itself. */
  readonly died: (replica: number, everServed: boolean) => void;
  readonly gone: (replica: number) => void;
  readonly changed: () => void;
}

export interface Registry {
  /** Makes processes for new replicas, follows phases, lets go of those that left the plant. */
  sync(plant: Plant): void;
  /** Sends each process what happened since the last flush. */
  flush(): void;
  live(): readonly LiveReplica[];
  /** Left the plant; their process still serves its last figures. */
  leaving(): readonly LiveReplica[];
  get(id: number): LiveReplica | undefined;
  stopAll(): Promise<void>;
}

/** A drained replica's process stays this long, so that a scrape every second sees its last figures. */
const LINGER_SECONDS = 3;

export function createRegistry(parts: RegistryParts): Registry {
  const live = new Map<number, LiveReplica>();
  const leaving = new Set<LiveReplica>();

  const adopt = (view: PlantReplica): void => {
    let served = false;
    const { pod, placement, process } = parts.source.engineOf(view, {
      listening: () => {
        served = true;
        parts.changed();
      },
      died: () => parts.died(view.id, served),
    });
    const { id, role, createdAt, phase } = view;
    live.set(id, { id, role, pod, placement, createdAt, process, feed: createEngineFeed(), phase, view });
    seat(parts.devices, placement, { replica: id, pod });
    parts.changed();
  };

  const afterExit = async (replica: LiveReplica): Promise<void> => {
    await replica.process.exited;
    leaving.delete(replica);
    parts.changed();
  };

  const letGo = (replica: LiveReplica): void => {
    replica.phase = "draining";
    sendUpdate(replica, emptied(replica), parts);
    live.delete(replica.id);
    parts.source.release(replica.placement);
    seat(parts.devices, replica.placement, undefined);
    parts.gone(replica.id);
    if (!replica.process.ended()) {
      leaving.add(replica);
      replica.process.stop(LINGER_SECONDS);
      void afterExit(replica);
    }
    parts.changed();
  };

  return {
    sync(plant) {
      const views = new Map(plant.replicas().map((view) => [view.id, view]));
      // Leavers first: their GPUs are what newcomers were given.
      for (const replica of live.values()) if (!views.has(replica.id)) letGo(replica);
      for (const view of views.values()) {
        const known = live.get(view.id);
        if (known === undefined) adopt(view);
        else {
          if (known.phase !== view.phase) parts.changed();
          known.phase = view.phase;
          known.view = view;
        }
      }
    },
    flush() {
      for (const replica of live.values()) sendUpdate(replica, replica.view, parts);
    },
    live: () => [...live.values()],
    leaving: () => [...leaving],
    get: (id) => live.get(id),
    async stopAll() {
      const all = [...live.values(), ...leaving].map((replica) => replica.process);
      for (const process of all) process.stop(0);
      await Promise.all(all.map((process) => process.exited));
    },
  };
}

function sendUpdate(replica: LiveReplica, view: PlantReplica, parts: RegistryParts): void {
  const gauges: EngineGauges = {
    phase: replica.phase,
    running: view.running,
    waiting: view.waiting,
    waitingForKv: view.waitingForKv,
    kvTokens: view.kvTokens,
    sending: replica.role === "prefill" ? parts.sending(replica.id) : 0,
  };
  const update = replica.feed.take(gauges);
  if (update !== undefined) replica.process.update(update);
}

const emptied = (replica: LiveReplica): PlantReplica => ({
  ...replica.view,
  running: 0,
  waiting: 0,
  waitingForKv: 0,
  kvTokens: 0,
  queuedTokens: 0,
});

function seat(devices: readonly GpuDevice[], placement: Placement, tenant: GpuDevice["tenant"]): void {
  for (const device of devices) {
    if (device.node === placement.node && placement.gpus.includes(device.index)) device.tenant = tenant;
  }
}
