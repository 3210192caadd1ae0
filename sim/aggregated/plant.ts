import type { DecodeModel, PrefillModel } from "../../core/latency-model.ts";
import { Fifo } from "../plant/fifo.ts";
import { Heap } from "../plant/heap.ts";
import { createJob, restart, toRecord, type Job } from "../plant/job.ts";
import { PrefixCache } from "../plant/prefix-cache.ts";
import { createRandom, type Random } from "../random.ts";
import type { AggregatedConfig, AggregatedPlant, AggregatedSink } from "./aggregated.types.ts";
import { allocated, endRun, enqueue, evict, type Engine, type EngineWorld } from "./engine.ts";

interface Event {
  readonly time: number;
  readonly order: number;
  readonly kind: "ready" | "run";
  readonly epoch: number;
  readonly engine: Engine;
}

interface World extends EngineWorld {
  readonly random: Random;
  readonly events: Heap<Event>;
  engines: Engine[];
  readonly arrivals: Fifo<Job>;
  /** Requests no engine has taken: none is ready. */
  readonly unrouted: Fifo<Job>;
  desired: number;
  order: number;
  created: number;
  gpuSecondsGone: number;
}

/** A pool of aggregated engines behind one router, at time 0 with its replicas ready. Same inputs, same outputs, bit for bit. */
export function createAggregatedPlant(
  config: AggregatedConfig,
  models: { readonly prefill: PrefillModel; readonly decode: DecodeModel },
  sink: AggregatedSink,
  options: { readonly maxRunSteps?: number } = {},
): AggregatedPlant {
  const world = createWorld(config, models, sink, options.maxRunSteps ?? Infinity);
  reconcile(world, 0);
  return {
    get now() {
      return world.now;
    },
    submit(request) {
      const latest = world.arrivals.last()?.request.arrival ?? world.now;
      if (!(request.arrival >= latest)) throw new RangeError(`request ${request.id} arrives at ${request.arrival}, before ${latest}`);
      if (!(request.inputTokens >= 1 && request.outputTokens >= 1)) {
        throw new RangeError(`request ${request.id} needs at least 1 input and 1 output token`);
      }
      world.arrivals.push(createJob(request));
    },
    advanceTo: (time) => advanceTo(world, time),
    nextEvent: () => Math.min(world.arrivals.peek()?.request.arrival ?? Infinity, nextLive(world)?.time ?? Infinity),
    scale(replicas) {
      world.desired = Math.max(0, Math.floor(replicas));
      settle(world);
    },
    crash(id) {
      const engine = world.engines.find((one) => one.id === id);
      if (engine === undefined) return;
      const lost = evict(engine).sort((a, b) => a.request.arrival - b.request.arrival || a.request.id - b.request.id);
      for (const job of lost) {
        restart(job);
        world.unrouted.push(job);
      }
      remove(world, engine);
      settle(world);
    },
    replicas: () => world.engines.map((engine) => view(world, engine)),
    gpuSeconds: () =>
      world.engines.reduce((sum, engine) => sum + config.gpusPerReplica * (world.now - engine.createdAt), world.gpuSecondsGone),
    inFlight: () => world.inFlight,
  };
}

function createWorld(config: AggregatedConfig, models: World["models"], sink: AggregatedSink, maxRunSteps: number): World {
  const world: World = {
    config,
    models,
    sink,
    maxRunSteps,
    random: createRandom(config.seed),
    events: new Heap((a, b) => a.time < b.time || (a.time === b.time && a.order < b.order)),
    engines: [],
    arrivals: new Fifo(),
    unrouted: new Fifo(),
    desired: config.replicas,
    now: 0,
    order: 0,
    created: 0,
    admissions: 0,
    inFlight: 0,
    gpuSecondsGone: 0,
    schedule: (at, engine) => schedule(world, at, "run", engine),
  };
  return world;
}

function schedule(world: World, time: number, kind: Event["kind"], engine: Engine): void {
  world.order += 1;
  world.events.push({ time, order: world.order, kind, epoch: engine.epoch, engine });
}

function advanceTo(world: World, time: number): void {
  for (;;) {
    const arrival = world.arrivals.peek();
    const event = nextLive(world);
    const at = Math.min(arrival?.request.arrival ?? Infinity, event?.time ?? Infinity);
    if (at > time || at === Infinity) break;
    world.now = at;
    if (arrival !== undefined && arrival.request.arrival === at) {
      world.arrivals.shift();
      take(world, arrival);
    } else if (event !== undefined) {
      world.events.pop();
      if (event.kind === "run") endRun(world, event.engine);
      else if (event.engine.phase === "starting") event.engine.phase = "ready";
    }
    settle(world);
  }
  if (Number.isFinite(time) && time > world.now) world.now = time;
}

/** The next event that is still true: those of gone engines and of shortened runs are dropped here. */
function nextLive(world: World): Event | undefined {
  for (let event = world.events.peek(); event !== undefined; event = world.events.peek()) {
    if (!event.engine.gone && (event.kind === "ready" || event.epoch === event.engine.epoch)) return event;
    world.events.pop();
  }
  return undefined;
}

function take(world: World, job: Job): void {
  const { inputTokens, outputTokens } = job.request;
  if (inputTokens + outputTokens > world.config.kvCapacityTokens) {
    world.sink.finished?.(toRecord(job, world.now, true));
    return;
  }
  world.inFlight += 1;
  world.unrouted.push(job);
}

function settle(world: World): void {
  for (const engine of world.engines) if (engine.phase === "draining" && load(engine) === 0) remove(world, engine);
  reconcile(world, world.config.leadTime);
  for (let job = world.unrouted.peek(); job !== undefined; job = world.unrouted.peek()) {
    const engine = pick(world, job);
    if (engine === undefined) return;
    world.unrouted.shift();
    enqueue(world, engine, job);
  }
}

const load = (engine: Engine): number => engine.queue.size + engine.prefilling.length + engine.running.size;

/** Starts what is wanted and finds GPUs; gives up the youngest that is starting, then drains the least loaded. */
function reconcile(world: World, leadTime: number): void {
  const { gpus, gpusPerReplica } = world.config;
  const kept = world.engines.filter(({ phase }) => phase !== "draining");
  const most = Math.floor(gpus / gpusPerReplica) - (world.engines.length - kept.length);
  for (let count = kept.length; count < Math.min(world.desired, most); count += 1) start(world, leadTime);
  for (let surplus = kept.length - world.desired; surplus > 0; surplus -= 1) {
    const starting = world.engines.findLast(({ phase }) => phase === "starting");
    if (starting !== undefined) remove(world, starting);
    else {
      const ready = world.engines.filter(({ phase }) => phase === "ready");
      const idlest = ready.reduce((a, b) => (work(world, b) <= work(world, a) ? b : a));
      idlest.phase = "draining";
      if (load(idlest) === 0) remove(world, idlest);
    }
  }
}

const work = (world: World, engine: Engine): number => engine.queuedTokens + allocated(world, engine);

function start(world: World, leadTime: number): void {
  world.created += 1;
  const engine: Engine = {
    id: world.created,
    createdAt: world.now,
    phase: leadTime > 0 ? "starting" : "ready",
    gone: false,
    epoch: 0,
    queue: new Fifo(),
    cache: new PrefixCache(world.config.kvCapacityTokens),
    prefilling: [],
    chunks: [],
    running: new Heap((a, b) => a.finishStep < b.finishStep || (a.finishStep === b.finishStep && a.admission < b.admission)),
    kv: 0,
    held: 0,
    queuedTokens: 0,
    steps: 0,
    runStart: 0,
    runSteps: 0,
  };
  world.engines.push(engine);
  if (leadTime > 0) schedule(world, world.now + leadTime, "ready", engine);
}

function remove(world: World, engine: Engine): void {
  world.engines = world.engines.filter((other) => other !== engine);
  engine.gone = true;
  world.gpuSecondsGone += world.config.gpusPerReplica * (world.now - engine.createdAt);
}

/** Prompt tokens to compute plus KV tokens held, this prompt included: the cost of Dynamo's KV router. Equal costs are drawn evenly. */
function pick(world: World, job: Job): Engine | undefined {
  let best: Engine | undefined;
  let least = Infinity;
  let ties = 0;
  for (const engine of world.engines) {
    if (engine.phase !== "ready") continue;
    const cost = work(world, engine) - engine.cache.hit(job.request.hashIds, job.promptTokens);
    if (cost > least) continue;
    ties = cost < least ? 1 : ties + 1;
    if (ties > 1 && world.random() * ties >= 1) continue;
    best = engine;
    least = cost;
  }
  return best;
}

const view = (world: World, engine: Engine) => ({
  id: engine.id,
  phase: engine.phase,
  waiting: engine.queue.size,
  running: engine.running.size + engine.prefilling.length,
  queuedTokens: engine.queuedTokens,
  kvTokens: allocated(world, engine),
});
