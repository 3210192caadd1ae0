import type { FleetPool, FleetReplica } from "../core/fleet-control.ts";
import type { Plant, PlantRole } from "../sim/plant/plant.types.ts";
import type { FleetClock } from "./clock.ts";
import type { FleetSettings } from "./config.ts";
import type { FrontendMoment } from "./frontend-page.ts";
import type { LiveReplica } from "./registry.ts";

export interface Limits {
  readonly maxBatchedTokens: number;
  readonly maxNumSeqs: number;
}

export interface ViewParts {
  readonly settings: FleetSettings;
  readonly clock: FleetClock;
  readonly plant: Plant;
  readonly live: readonly LiveReplica[];
  readonly limits: Limits;
}

/** A pool as the control API shows it. */
export function describePool({ settings, clock, plant, live, limits }: ViewParts, role: PlantRole): FleetPool {
  const { namespace, model, engine } = settings;
  const { maxBatchedTokens, maxNumSeqs } = limits;
  return {
    name: role,
    namespace,
    role,
    model,
    engine,
    desired: plant.desired(role),
    unschedulable: plant.unschedulable(role),
    limits: role === "prefill" ? { maxBatchedTokens } : { maxNumSeqs },
    replicas: live.filter((replica) => replica.role === role).map((replica) => describeReplica(settings, clock, replica)),
  };
}

function describeReplica(settings: FleetSettings, clock: FleetClock, replica: LiveReplica): FleetReplica {
  const port = replica.process.port();
  return {
    id: replica.id,
    pod: replica.pod,
    node: replica.placement.node,
    phase: replica.phase,
    startedAt: clock.wall(replica.createdAt),
    pid: replica.process.pid,
    // Empty until the process serves.
    url: port === undefined ? "" : `http://${settings.host}:${port}`,
    gpus: replica.placement.gpus,
  };
}

/** KV blocks of 16 tokens, as the frontend's router counts them. */
const BLOCK_TOKENS = 16;

export function frontendMoment({ plant, live, limits }: ViewParts): FrontendMoment {
  return {
    inFlight: plant.inFlight(),
    unroutedPrefill: plant.unrouted("prefill"),
    unroutedDecode: plant.unrouted("decode"),
    ...limits,
    workers: live.map(({ id, role, view }) => ({
      id,
      role,
      requests: view.running + view.waiting + view.waitingForKv,
      decodeBlocks: role === "decode" ? Math.ceil(view.kvTokens / BLOCK_TOKENS) : 0,
      prefillTokens: view.queuedTokens,
    })),
  };
}
