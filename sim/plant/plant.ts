import { createRandom } from "../random.ts";
import { arrive, endRun, joinSoon, reportProgress } from "./decode.ts";
import { CALM, disturb } from "./disturb.ts";
import { Fifo } from "./fifo.ts";
import { Heap } from "./heap.ts";
import { createJob, toRecord, type Job } from "./job.ts";
import {
  countPending,
  crashReplica,
  dismiss,
  enter,
  joinReplica,
  retireDrained,
  scalePool,
  startInitial,
  startPending,
  switchRole,
} from "./lifecycle.ts";
import { endTransfer } from "./link.ts";
import type { Plant, PlantConfig, PlantRequest, PlantRole, PlantSink } from "./plant.types.ts";
import { endPass, startPass } from "./prefill.ts";
import { routeHandoffs, routePrompts } from "./router.ts";
import { viewReplica } from "./view.ts";
import type { PlantEvent, PlantModels, Replica, World } from "./world.ts";

export interface PlantOptions {
  /** Longest decode run told at once; 1 advances step by step. Default: as far as nothing joins or leaves. */
  readonly maxRunSteps?: number;
}

/** Builds the plant at time 0 with its initial replicas ready. Same inputs, same outputs, bit for bit. */
export function createPlant(config: PlantConfig, models: PlantModels, sink: PlantSink, options: PlantOptions = {}): Plant {
  const world = createWorld(config, models, sink, options);
  const arrivals = new Fifo<Job>();
  startInitial(world, "prefill");
  startInitial(world, "decode");
  const find = (id: number): Replica | undefined => [...world.prefill, ...world.decode].find((replica) => replica.id === id);

  return {
    get now() {
      return world.now;
    },
    submit: (request) => submit(world, arrivals, request),
    advanceTo: (time) => advanceTo(world, arrivals, time),
    nextEvent: () => Math.min(arrivals.peek()?.request.arrival ?? Infinity, nextLive(world)?.time ?? Infinity),
    scale(role, replicas) {
      scalePool(world, role, Math.max(0, Math.floor(replicas)));
      settle(world);
    },
    setLimits(limits) {
      world.maxBatchedTokens = Math.max(1, Math.floor(limits.maxBatchedTokens ?? world.maxBatchedTokens));
      world.maxNumSeqs = Math.max(1, Math.floor(limits.maxNumSeqs ?? world.maxNumSeqs));
      for (const replica of world.decode) joinSoon(world, replica);
      settle(world);
    },
    switchRole(from, count) {
      const switched = switchRole(world, from, count);
      settle(world);
      return switched;
    },
    disturb(changes) {
      disturb(world, changes);
      settle(world);
    },
    crash(id) {
      const replica = find(id);
      if (replica === undefined) return;
      crashReplica(world, replica);
      settle(world);
    },
    join(role) {
      const id = joinReplica(world, role);
      settle(world);
      return id;
    },
    leave(id) {
      const replica = find(id);
      if (replica === undefined) return;
      dismiss(world, replica);
      settle(world);
    },
    lose(id) {
      const replica = find(id);
      if (replica === undefined) return;
      dismiss(world, replica);
      if (!replica.gone) crashReplica(world, replica);
      settle(world);
    },
    replicas: () => [...world.prefill, ...world.decode].map((replica) => viewReplica(world, replica)),
    desired: (role) => world.desired[role],
    unschedulable: (role) => countPending(world, role),
    unrouted: (role) => (role === "prefill" ? world.unrouted.size : world.handoffs.size),
    gpuSeconds: () => gpuSeconds(world),
    inFlight: () => world.inFlight,
  };
}

function createWorld(config: PlantConfig, models: PlantModels, sink: PlantSink, options: PlantOptions): World {
  const sooner = (a: PlantEvent, b: PlantEvent): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);
  return {
    config,
    calm: models,
    models,
    disturbance: CALM,
    sink,
    random: createRandom(config.seed),
    maxRunSteps: options.maxRunSteps ?? Infinity,
    events: new Heap(sooner),
    prefill: [],
    decode: [],
    unrouted: new Fifo(),
    handoffs: new Fifo(),
    desired: { prefill: 0, decode: 0 } satisfies Record<PlantRole, number>,
    pending: [],
    maxBatchedTokens: config.prefill.maxBatchedTokens,
    maxNumSeqs: config.decode.maxNumSeqs,
    now: 0,
    order: 0,
    nextReplica: 0,
    admissions: 0,
    draining: 0,
    gpusUsed: 0,
    gpuSecondsGone: 0,
    inFlight: 0,
  };
}

/** Arrivals in order wait in a queue, which keeps the event heap small; one out of order becomes an event. */
function submit(world: World, arrivals: Fifo<Job>, request: PlantRequest): void {
  if (!(request.arrival >= world.now))
    throw new RangeError(`request ${request.id} arrives at ${request.arrival}, before now (${world.now})`);
  if (!(request.inputTokens >= 1 && request.outputTokens >= 1)) {
    throw new RangeError(`request ${request.id} needs at least 1 input and 1 output token`);
  }
  const job = createJob(request);
  const last = arrivals.last();
  if (last === undefined || last.request.arrival <= request.arrival) arrivals.push(job);
  else {
    world.order += 1;
    world.events.push({ time: request.arrival, order: world.order, kind: "arrival", epoch: 0, replica: undefined, job });
  }
}

function advanceTo(world: World, arrivals: Fifo<Job>, time: number): void {
  for (;;) {
    const arrival = arrivals.peek();
    const event = nextLive(world);
    const arrives = arrival !== undefined && arrival.request.arrival <= (event?.time ?? Infinity);
    const at = arrives ? arrival.request.arrival : (event?.time ?? Infinity);
    if (at > time || at === Infinity) break;
    world.now = at;
    if (arrives) {
      arrivals.shift();
      take(world, arrival);
    } else if (event !== undefined) {
      world.events.pop();
      handle(world, event);
    }
    settle(world);
  }
  if (Number.isFinite(time) && time > world.now) world.now = time;
  for (const replica of world.decode) reportProgress(world, replica);
}

/** The next event that is still true: those of gone replicas, shortened runs and lost transfers are dropped here. */
function nextLive(world: World): PlantEvent | undefined {
  for (;;) {
    const event = world.events.peek();
    if (event?.replica === undefined) return event;
    const superseded = (event.kind === "run" || event.kind === "transfer") && event.epoch !== event.replica.epoch;
    if (!event.replica.gone && !superseded) return event;
    world.events.pop();
  }
}

function handle(world: World, event: PlantEvent): void {
  const { replica, job } = event;
  if (event.kind === "arrival" && job !== undefined) take(world, job);
  else if (event.kind === "ready" && replica?.phase === "starting") enter(world, replica, "ready");
  else if (event.kind === "pass" && replica?.role === "prefill") endPass(world, replica);
  else if (event.kind === "run" && replica?.role === "decode") endRun(world, replica);
  else if (event.kind === "transfer" && replica?.role === "prefill" && job !== undefined) {
    endTransfer(world, replica, job);
    startPass(world, replica);
    const target = world.decode.find((decode) => decode.id === job.decodeReplica);
    if (target !== undefined) arrive(world, target, job);
  }
}

/** An engine refuses what can never fit into its KV memory; everything else enters the router. */
function take(world: World, job: Job): void {
  const { inputTokens, outputTokens } = job.request;
  if (inputTokens + outputTokens > world.config.kvCapacityTokens) {
    world.sink.finished?.(toRecord(job, world.now, true));
    return;
  }
  world.inFlight += 1;
  world.unrouted.push(job);
}

/** After every event: what is drained, leaves; who waits for GPUs, starts; what can move on, moves on. */
function settle(world: World): void {
  retireDrained(world);
  startPending(world);
  routePrompts(world);
  routeHandoffs(world);
}

function gpuSeconds(world: World): number {
  let total = world.gpuSecondsGone;
  for (const replica of [...world.prefill, ...world.decode]) total += replica.gpus * (world.now - replica.createdAt);
  return total;
}
