import type { ServerResponse } from "node:http";
import type { FleetPool, FleetPools, FleetStatus } from "../core/fleet-control.ts";
import { createPlant } from "../sim/plant/plant.ts";
import type { PlantRequest, PlantRole } from "../sim/plant/plant.types.ts";
import { startClock, type FleetClock } from "./clock.ts";
import { FleetError, type FleetSettings } from "./config.ts";
import type { EngineFeed } from "./engine-feed.ts";
import { processSource, type EngineSource } from "./engine-source.ts";
import { engineStart, plantConfig, podPrefix, podStart } from "./fleet-config.ts";
import type { EngineHello } from "./engine/messages.ts";
import { describePool, frontendMoment, type Limits, type ViewParts } from "./fleet-views.ts";
import { newFlight, sendingByReplica, type Flight } from "./flight.ts";
import { createFrontend } from "./frontend-page.ts";
import { createGpuDevices, tickGpus, type GpuDevice } from "./gpu-devices.ts";
import { createGpuMeter } from "./gpu-meter.ts";
import { createLiveSink } from "./live-sink.ts";
import { createPlacer } from "./placement.ts";
import { podEngines } from "./pod-engines.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { createRequests } from "./requests.ts";
import { requestIds } from "./trace-ids.ts";
import { createTruth, type Truth } from "./truth.ts";
import type { Workload } from "./workload.ts";

export const ROLES: readonly PlantRole[] = ["prefill", "decode"];

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
  /** A pod came: a replica of its own, told over `stream`. Where engines are pods only. */
  join(hello: EngineHello, stream: ServerResponse): void;
  /** A pod was asked to end: its replica drains, and the pod is told when it has. False = no replica is its own. */
  leave(pod: string): boolean;
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
  const requests = createRequests(trace, settings.repeat);
  const flights = new Map<number, Flight>();
  const truth = createTruth();
  const frontend = createFrontend(settings.model, profile.kvCapacityTokens);
  const devices = createGpuDevices(settings.nodes, settings.seed);
  const state: State = { clock: standingClock(), started: false, changed: true, next: 0, stillborn: 0, limits: settings.limits };
  const clock: FleetClock = { now: () => state.clock.now(), wall: (seconds) => state.clock.wall(seconds) };
  const changed = (): void => void (state.changed = true);
  let broken: FleetError | undefined;
  let sending: ReadonlyMap<number, number> = new Map();

  const nodeOf = (replica: number): string | undefined => registry.get(replica)?.placement.node;
  const meter = createGpuMeter((from, to) => nodeOf(from) === nodeOf(to));
  const pods = podEngines((hello) => podStart(settings, workload, hello));
  const asPods = settings.engines === "pods";
  const processes = (): EngineSource =>
    processSource({
      script,
      podPrefix: podPrefix(settings.model),
      placer: createPlacer(settings.nodes),
      gpusPerReplica: (role) => profile.gpusPerReplica[role],
      engineStart: (role, pod, node) => engineStart(settings, workload, { role, pod, node }),
    });
  const registry: Registry = createRegistry({
    source: asPods ? pods : processes(),
    devices,
    sending: (replica) => sending.get(replica) ?? 0,
    died(replica, everServed) {
      // Its controller makes another pod, which then joins.
      if (asPods) return act(() => plant.lose(replica));
      state.stillborn = everServed ? 0 : state.stillborn + 1;
      if (state.stillborn < MAX_STILLBORN) crash(replica);
      else broken = new FleetError("engines-failed", `${MAX_STILLBORN} engine processes in a row ended before they served`);
    },
    gone: (replica) => meter.forget(replica),
    changed,
  });
  const feedOf = (replica: number): EngineFeed | undefined => registry.get(replica)?.feed;
  const roleOf = (replica: number): PlantRole | undefined => registry.get(replica)?.role;
  const { engine } = settings;
  const sink = createLiveSink({ engine, clock, flights, feedOf, roleOf, truth, frontend, meter, changed });
  const plant = createPlant(plantConfig(settings, workload), models, sink);
  const view = (): ViewParts => ({ settings, clock, plant, live: registry.live(), limits: state.limits });
  const pool = (role: PlantRole): FleetPool => describePool(view(), role);

  const sync = (): void => {
    registry.sync(plant);
    const kept = (role: PlantRole): number => registry.live().filter((one) => one.role === role && one.phase !== "draining").length;
    truth.replicas(Math.max(0, plant.now - settings.startDelay), kept("prefill"), kept("decode"));
  };
  const submit = (due: PlantRequest, arrival: number): void => {
    const request = { ...due, arrival };
    flights.set(request.id, newFlight(request, requestIds(settings.seed, request.id)));
    truth.submitted();
    frontend.started();
    plant.submit(request);
  };
  const advance = (): void => {
    if (!state.started) return;
    const now = clock.now();
    for (let due = requests.at(state.next); due !== undefined; due = requests.at(state.next)) {
      const arrival = due.arrival + settings.startDelay;
      if (arrival > now) break;
      submit(due, arrival);
      state.next += 1;
    }
    plant.advanceTo(now);
  };
  /** Something from outside: the plant first comes up to now, and what it changed is made real at once. */
  const act = (change: () => void): void => {
    advance();
    change();
    sync();
  };
  const crash = (replica: number): void => act(() => plant.crash(replica));
  sync();

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
      const { requests: submitted, completed, failed } = truth.totals;
      const inFlight = plant.inFlight();
      const done = requests.at(state.next) === undefined && elapsed >= trace.seconds && inFlight === 0;
      return { at: clock.wall(clock.now()), elapsed, duration: trace.seconds, submitted, completed: completed + failed, inFlight, done };
    },
    scale: (role, replicas) => act(() => plant.scale(role, replicas)),
    setLimits(limits) {
      act(() => plant.setLimits(limits));
      state.limits = { ...state.limits, ...limits };
    },
    join: (hello, stream) =>
      act(() => {
        pods.arrive(hello, stream);
        plant.join(hello.role);
      }),
    leave(pod) {
      const known = registry.live().find((one) => one.pod === pod);
      if (known !== undefined) act(() => plant.leave(known.id));
      return known !== undefined;
    },
    frontendPage: () => frontend.render(frontendMoment(view())),
    gpuSeconds: () => plant.gpuSeconds(),
    takeChanged() {
      const was = state.changed;
      state.changed = false;
      return was;
    },
    broken: () => broken,
  };
}

interface State {
  clock: FleetClock;
  started: boolean;
  changed: boolean;
  /** Index of the next request of the trace. */
  next: number;
  stillborn: number;
  limits: Limits;
}

/** Before the start: engines boot, the plant waits at 0. */
function standingClock(): FleetClock {
  const wall = startClock();
  return { now: () => 0, wall: (seconds) => wall.wall(seconds) };
}
