import type { FleetPool, FleetPools, FleetStatus } from "../core/fleet-control.ts";
import { createPlant } from "../sim/plant/plant.ts";
import type { Plant, PlantConfig, PlantRole } from "../sim/plant/plant.types.ts";
import { startClock, type FleetClock } from "./clock.ts";
import { FleetError, type FleetSettings } from "./config.ts";
import type { EngineStart } from "./engine/messages.ts";
import { newFlight, sendingByReplica, type Flight } from "./flight.ts";
import { createFrontend, type Frontend } from "./frontend-page.ts";
import { createGpuDevices, tickGpus, type GpuDevice } from "./gpu-devices.ts";
import { createGpuMeter } from "./gpu-meter.ts";
import { createLiveSink } from "./live-sink.ts";
import { createPlacer } from "./placement.ts";
import { createRegistry, type LiveReplica, type Registry } from "./registry.ts";
import { requestIds } from "./trace-ids.ts";
import { createTruth, type Truth } from "./truth.ts";
import type { Workload } from "./workload.ts";

export const ROLES: readonly PlantRole[] = ["prefill", "decode"];

export interface Limits {
  readonly maxBatchedTokens: number;
  readonly maxNumSeqs: number;
}

/** The plant served live: one object that the control API, the pages and the pacing loop share. */
export interface Fleet {
  readonly settings: FleetSettings;
  readonly truth: Truth;
  readonly devices: readonly GpuDevice[];
  readonly registry: Registry;
  readonly clock: FleetClock;
  /** Starts the plant's clock; before that its time stands at 0. */
  start(): void;
  /** Brings the plant up to the wall clock; nothing that was due in between is lost. */
  advance(): void;
  /** Sends what happened to the engine processes. */
  flush(): void;
  /** The GPU exporters sample; `seconds` since the last time. */
  tickGpus(seconds: number): void;
  pools(): FleetPools;
  pool(role: PlantRole): FleetPool;
  status(): FleetStatus;
  scale(role: PlantRole, replicas: number): void;
  setLimits(limits: Partial<Limits>): void;
  frontendPage(): string;
  gpuSeconds(): number;
  /** True once after each change of engines, phases or addresses. */
  takeChanged(): boolean;
  /** Set when engines cannot be kept running. */
  broken(): FleetError | undefined;
}

/** Engine processes that end before they ever served, one after the other, until the fleet gives up. */
const MAX_STILLBORN = 5;

export interface FleetParts {
  readonly settings: FleetSettings;
  readonly workload: Workload;
  readonly script: string;
}

export function createFleet({ settings, workload, script }: FleetParts): Fleet {
  const { profile, models, trace } = workload;
  const flights = new Map<number, Flight>();
  const truth = createTruth();
  const frontend: Frontend = createFrontend(settings.model, profile.kvCapacityTokens);
  const devices = createGpuDevices(settings.nodes, settings.seed);
  const state = { clock: standingClock(), started: false, changed: true, next: 0, stillborn: 0, limits: settings.limits };
  let broken: FleetError | undefined;
  let sending: ReadonlyMap<number, number> = new Map();

  const nodeOf = (replica: number): string | undefined => registry.get(replica)?.placement.node;
  const meter = createGpuMeter((from, to) => nodeOf(from) === nodeOf(to));
  const registry: Registry = createRegistry({
    script,
    podPrefix: podPrefix(settings.model),
    placer: createPlacer(settings.nodes),
    devices,
    gpusPerReplica: (role) => profile.gpusPerReplica[role],
    engineStart: (role, pod, node) => engineStart(settings, workload, { role, pod, node }),
    sending: (replica) => sending.get(replica) ?? 0,
    died(replica, everServed) {
      state.stillborn = everServed ? 0 : state.stillborn + 1;
      if (state.stillborn >= MAX_STILLBORN)
        broken = new FleetError("engines-failed", `${MAX_STILLBORN} engine processes ended before they served`);
      else crash(replica);
    },
    gone: (replica) => meter.forget(replica),
    changed: () => void (state.changed = true),
  });
  const clock: FleetClock = { now: () => state.clock.now(), wall: (seconds) => state.clock.wall(seconds) };
  const sink = createLiveSink({
    engine: settings.engine,
    clock,
    flights,
    feedOf: (replica) => registry.get(replica)?.feed,
    roleOf: (replica) => registry.get(replica)?.role,
    truth,
    frontend,
    meter,
    changed: () => void (state.changed = true),
  });
  const plant: Plant = createPlant(plantConfig(settings, workload), models, sink);

  const sync = (): void => {
    registry.sync(plant);
    const kept = (role: PlantRole): number => registry.live().filter((one) => one.role === role && one.phase !== "draining").length;
    truth.replicas(Math.max(0, plant.now - settings.startDelay), kept("prefill"), kept("decode"));
  };
  const advance = (): void => {
    if (!state.started) return;
    const now = clock.now();
    for (let due = trace.requests[state.next]; due !== undefined; due = trace.requests[state.next]) {
      const arrival = due.arrival + settings.startDelay;
      if (arrival > now) break;
      const request = { ...due, arrival };
      flights.set(request.id, newFlight(request, requestIds(settings.seed, request.id)));
      truth.submitted();
      frontend.started();
      plant.submit(request);
      state.next += 1;
    }
    plant.advanceTo(now);
  };
  const crash = (replica: number): void => {
    advance();
    plant.crash(replica);
    sync();
  };
  sync();

  const pool = (role: PlantRole): FleetPool => ({
    name: role,
    namespace: settings.namespace,
    role,
    model: settings.model,
    engine: settings.engine,
    desired: plant.desired(role),
    unschedulable: plant.unschedulable(role),
    limits: role === "prefill" ? { maxBatchedTokens: state.limits.maxBatchedTokens } : { maxNumSeqs: state.limits.maxNumSeqs },
    replicas: registry
      .live()
      .filter((replica) => replica.role === role)
      .map((replica) => describeReplica(settings, clock, replica)),
  });

  return {
    settings,
    truth,
    devices,
    registry,
    clock,
    start() {
      state.clock = startClock();
      state.started = true;
    },
    advance,
    flush() {
      sync();
      sending = sendingByReplica(flights.values());
      frontend.flush();
      registry.flush();
    },
    tickGpus: (seconds) => tickGpus(devices, seconds, (replica) => meter.read(replica, clock.now())),
    pools: () => ({
      at: clock.wall(clock.now()),
      gpus: { total: devices.length, used: devices.filter((device) => device.tenant !== undefined).length },
      pools: ROLES.map(pool),
    }),
    pool,
    status() {
      const elapsed = Math.max(0, clock.now() - settings.startDelay);
      const { requests, completed, failed } = truth.totals;
      const inFlight = plant.inFlight();
      const done = state.next === trace.requests.length && elapsed >= trace.seconds && inFlight === 0;
      return {
        at: clock.wall(clock.now()),
        elapsed,
        duration: trace.seconds,
        submitted: requests,
        completed: completed + failed,
        inFlight,
        done,
      };
    },
    scale(role, replicas) {
      advance();
      plant.scale(role, replicas);
      sync();
    },
    setLimits(limits) {
      advance();
      plant.setLimits(limits);
      state.limits = { ...state.limits, ...limits };
    },
    frontendPage: () =>
      frontend.render({
        inFlight: plant.inFlight(),
        unroutedPrefill: plant.unrouted("prefill"),
        unroutedDecode: plant.unrouted("decode"),
        ...state.limits,
        workers: registry.live().map(({ id, role, view }) => ({
          id,
          role,
          requests: view.running + view.waiting + view.waitingForKv,
          decodeBlocks: role === "decode" ? Math.ceil(view.kvTokens / 16) : 0,
          prefillTokens: view.queuedTokens,
        })),
      }),
    gpuSeconds: () => plant.gpuSeconds(),
    takeChanged() {
      const changed = state.changed;
      state.changed = false;
      return changed;
    },
    broken: () => broken,
  };
}

/** Before the start: engines boot, the plant waits at 0. */
function standingClock(): FleetClock {
  const wall = startClock();
  return { now: () => 0, wall: (seconds) => wall.wall(seconds) };
}

function plantConfig(settings: FleetSettings, { profile }: Workload): PlantConfig {
  const { initial, leadTime, limits } = settings;
  return {
    seed: settings.seed,
    prefill: {
      replicas: initial.prefill,
      leadTime,
      gpusPerReplica: profile.gpusPerReplica.prefill,
      maxBatchedTokens: limits.maxBatchedTokens,
    },
    decode: { replicas: initial.decode, leadTime, gpusPerReplica: profile.gpusPerReplica.decode, maxNumSeqs: limits.maxNumSeqs },
    gpus: settings.nodes.reduce((sum, node) => sum + node.gpus, 0),
    kvBytesPerToken: profile.kvBytesPerToken,
    kvCapacityTokens: profile.kvCapacityTokens,
  };
}

/** `llama-8b` → `llama`: deployments are named after the model's family. */
export const podPrefix = (model: string): string => /[a-z0-9]+/.exec((model.split("/").at(-1) ?? model).toLowerCase())?.[0] ?? "model";

function engineStart(
  settings: FleetSettings,
  { profile }: Workload,
  where: { readonly role: PlantRole; readonly pod: string; readonly node: string },
): EngineStart {
  const otlp = settings.nodes.find((node) => node.name === where.node)?.otlp;
  const base = {
    type: "start",
    engine: settings.engine,
    role: where.role,
    host: settings.host,
    pod: where.pod,
    model: settings.model,
    kvCapacityTokens: profile.kvCapacityTokens,
    kvBytesPerToken: profile.kvBytesPerToken,
  } as const;
  if (!settings.spans || otlp === undefined) return base;
  // Both protocols are in use: prefill engines send over gRPC, decode engines over HTTP.
  const grpc = where.role === "prefill";
  return { ...base, otlp: grpc ? { protocol: "grpc", url: otlp.grpc } : { protocol: "http/protobuf", url: otlp.http } };
}

function describeReplica(settings: FleetSettings, clock: FleetClock, replica: LiveReplica): FleetPool["replicas"][number] {
  const port = replica.process.port();
  return {
    id: replica.id,
    pod: replica.pod,
    node: replica.placement.node,
    phase: replica.phase,
    startedAt: clock.wall(replica.createdAt),
    pid: replica.process.pid,
    url: port === undefined ? "" : `http://${settings.host}:${port}`,
    gpus: replica.placement.gpus,
  };
}
