import { allocated, evictSequences } from "./decode.ts";
import { Fifo } from "./fifo.ts";
import { Heap } from "./heap.ts";
import { recompute, restart, type Job } from "./job.ts";
import { dropTransfersFrom, dropTransfersTo } from "./link.ts";
import { evictPrompts, startPass } from "./prefill.ts";
import type { PlantPhase, PlantRole } from "./plant.types.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { viewReplica } from "./view.ts";
import { schedule, type DecodeReplica, type PrefillReplica, type Replica, type World } from "./world.ts";

/** Sets a pool's wanted size and starts, cancels or drains the difference. */
export function scalePool(world: World, role: PlantRole, replicas: number): void {
  world.desired[role] = replicas;
  reconcile(world, role);
}

export function startInitial(world: World, role: PlantRole): void {
  world.desired[role] = world.config[role].replicas;
  reconcile(world, role, 0);
}

function reconcile(world: World, role: PlantRole, leadTime?: number): void {
  const pool: readonly Replica[] = world[role];
  const kept = pool.filter((replica) => replica.phase !== "draining").length + joining(world, role).length;
  let surplus = kept + countPending(world, role) - world.desired[role];
  for (; surplus < 0; surplus += 1) world.pending.push(role);
  for (; surplus > 0; surplus -= 1) dropOne(world, role);
  startPending(world, leadTime);
}

/** Replicas of the other role that will serve in this one once they are drained. */
function joining(world: World, role: PlantRole): Replica[] {
  const pool: readonly Replica[] = world[otherRole(role)];
  return pool.filter((replica) => replica.becomes?.role === role);
}

const otherRole = (role: PlantRole): PlantRole => (role === "prefill" ? "decode" : "prefill");

export const countPending = (world: World, role: PlantRole): number => world.pending.filter((other) => other === role).length;

/** Starts what waits for GPUs, oldest first; one that does not fit does not hold up a smaller one behind it. */
export function startPending(world: World, leadTime?: number): void {
  if (world.pending.length === 0 || !world.disturbance.schedulable) return;
  const still: PlantRole[] = [];
  for (const role of world.pending) {
    const gpus = world.config[role].gpusPerReplica;
    if (world.gpusUsed + gpus > world.config.gpus) still.push(role);
    else start(world, role, gpus, leadTime ?? world.config[role].leadTime * world.disturbance.leadTime);
  }
  world.pending = still;
}

function start(world: World, role: PlantRole, gpus: number, leadTime: number): void {
  world.gpusUsed += gpus;
  world.nextReplica += 1;
  const base = { id: world.nextReplica, gpus, createdAt: world.now, readyAt: world.now + leadTime };
  const replica = role === "prefill" ? createPrefill(world, base) : createDecode(world, base);
  if (replica.role === "prefill") world.prefill.push(replica);
  else world.decode.push(replica);
  enter(world, replica, leadTime > 0 ? "starting" : "ready");
  if (leadTime > 0) schedule(world, replica.readyAt, "ready", replica);
}

/** One more, besides what `scale` wanted; answers with its id. */
export function joinReplica(world: World, role: PlantRole): number {
  const { gpusPerReplica, leadTime } = world.config[role];
  world.desired[role] += 1;
  start(world, role, gpusPerReplica, leadTime * world.disturbance.leadTime);
  return world.nextReplica;
}

/** This one and no other is wanted no more. */
export function dismiss(world: World, replica: Replica): void {
  if (replica.phase === "draining") return;
  world.desired[replica.role] -= 1;
  if (replica.phase === "starting") remove(world, replica);
  else enter(world, replica, "draining");
}

type Base = Pick<Replica, "id" | "gpus" | "createdAt" | "readyAt">;

// Both kinds are written out, not spread from what they share: an object made by a spread has one shape or another, as the engine
// sees fit, and the plant's inner loops are compiled anew for each.
function createPrefill(world: World, base: Base): PrefillReplica {
  return {
    id: base.id,
    gpus: base.gpus,
    createdAt: base.createdAt,
    readyAt: base.readyAt,
    phase: "starting",
    becomes: undefined,
    gone: false,
    epoch: 0,
    role: "prefill",
    queue: new Fifo(),
    cache: new PrefixCache(world.config.kvCapacityTokens),
    batch: [],
    passStart: 0,
    queuedTokens: 0,
    heldTokens: 0,
    parked: 0,
    sending: undefined,
    sendingEnds: 0,
    outbox: new Fifo(),
  };
}

function createDecode(world: World, base: Base): DecodeReplica {
  const sooner = (a: Job, b: Job): boolean => a.finishStep < b.finishStep || (a.finishStep === b.finishStep && a.admission < b.admission);
  return {
    id: base.id,
    gpus: base.gpus,
    createdAt: base.createdAt,
    readyAt: base.readyAt,
    phase: "starting",
    becomes: undefined,
    gone: false,
    epoch: 0,
    role: "decode",
    model: world.models.decode,
    running: new Heap(sooner),
    waiting: new Fifo(),
    fresh: [],
    incoming: 0,
    kv: 0,
    reserved: 0,
    local: undefined,
    chunk: 0,
    chunkSeconds: 0,
    steps: 0,
    runStart: 0,
    runSteps: 0,
    reported: 0,
  };
}

/** Changes a replica's phase and tells it. */
export function enter(world: World, replica: Replica, phase: PlantPhase): void {
  replica.phase = phase;
  if (phase === "draining") world.draining += 1;
  world.sink.phase?.(viewReplica(world, replica), world.now);
}

/**
 * Gives up one replica: first one that found no GPU, then the youngest that is starting, then one that was to switch
 * into this role (it leaves once drained), then the least loaded.
 */
function dropOne(world: World, role: PlantRole): void {
  const unscheduled = world.pending.lastIndexOf(role);
  if (unscheduled >= 0) {
    world.pending.splice(unscheduled, 1);
    return;
  }
  const pool: readonly Replica[] = world[role];
  const starting = pool.filter((replica) => replica.phase === "starting").at(-1);
  if (starting !== undefined) {
    remove(world, starting);
    return;
  }
  const switching = joining(world, role).at(-1);
  if (switching !== undefined) switching.becomes = undefined;
  else {
    const idlest = leastLoaded(world, role);
    if (idlest !== undefined) enter(world, idlest, "draining");
  }
}

function leastLoaded(world: World, role: PlantRole): Replica | undefined {
  const pool: readonly Replica[] = world[role];
  const ready = pool.filter((replica) => replica.phase === "ready");
  return ready.length === 0 ? undefined : ready.reduce((a, b) => (load(world, b) <= load(world, a) ? b : a));
}

/** Live role switch: the process stays, so there is no lead time, but it must first finish what it has. */
export function switchRole(world: World, from: PlantRole, count: number): number {
  const to = otherRole(from);
  if (world.config[from].gpusPerReplica !== world.config[to].gpusPerReplica) return 0;
  let switched = 0;
  for (; switched < count; switched += 1) {
    const replica = leastLoaded(world, from);
    if (replica === undefined) break;
    replica.becomes = { role: to, at: world.now };
    world.desired[from] -= 1;
    world.desired[to] += 1;
    enter(world, replica, "draining");
  }
  return switched;
}

const load = (world: World, replica: Replica): number =>
  replica.role === "prefill" ? replica.queuedTokens + replica.heldTokens : allocated(world, replica);

/** Lets go of draining replicas that have nothing left to do; one that switches role serves in the other at once. */
export function retireDrained(world: World): void {
  if (world.draining === 0) return;
  for (const replica of [...world.prefill, ...world.decode]) {
    if (replica.phase !== "draining") continue;
    if (replica.role === "prefill") dropParked(world, replica);
    if (!isEmpty(replica)) continue;
    remove(world, replica);
    if (replica.becomes !== undefined) start(world, replica.becomes.role, replica.gpus, 0);
  }
}

/**
 * Where every decode replica there will be is a prefill replica that is to switch, or waits for the GPU of one that is to leave, and that
 * one waits for its computed prompts to be taken, each would wait for the other. So one that drains lets them go when nobody is
 * there to take them; they are computed again.
 */
function dropParked(world: World, replica: PrefillReplica): void {
  if (replica.parked === 0 || world.decode.some(({ phase }) => phase !== "draining")) return;
  for (const job of world.handoffs.extract(({ prefillReplica }) => prefillReplica === replica.id)) {
    replica.parked -= 1;
    replica.heldTokens -= job.promptTokens;
    recompute(job, job.generated);
    world.unrouted.push(job);
  }
  // The memory they held may be what the next prompt in the queue waited for.
  startPass(world, replica);
}

function isEmpty(replica: Replica): boolean {
  if (replica.role === "decode") return replica.running.size + replica.waiting.size + replica.incoming === 0;
  const computing = replica.queue.size + replica.batch.length;
  return computing + replica.parked + replica.outbox.size === 0 && replica.sending === undefined;
}

function remove(world: World, replica: Replica): void {
  const pool: Replica[] = world[replica.role];
  pool.splice(pool.indexOf(replica), 1);
  if (replica.phase === "draining") world.draining -= 1;
  replica.gone = true;
  world.gpusUsed -= replica.gpus;
  world.gpuSecondsGone += replica.gpus * (world.now - replica.createdAt);
  world.sink.gone?.(replica.id, replica.role, world.now);
}

/** The replica is gone at once. What it held starts over from prefill, oldest arrival first. */
export function crashReplica(world: World, replica: Replica): void {
  const lost: Job[] = [];
  if (replica.role === "prefill") {
    lost.push(...evictPrompts(replica), ...dropTransfersFrom(world, replica));
    lost.push(...world.handoffs.extract((job) => job.prefillReplica === replica.id));
  } else {
    lost.push(...evictSequences(replica));
    for (const source of world.prefill) {
      lost.push(...dropTransfersTo(world, source, replica));
      // The dropped KV freed memory that a prompt may have been waiting for.
      startPass(world, source);
    }
  }
  lost.sort((a, b) => a.request.arrival - b.request.arrival || a.request.id - b.request.id);
  for (const job of lost) {
    restart(job);
    world.unrouted.push(job);
  }
  remove(world, replica);
  reconcile(world, replica.role);
  if (replica.becomes !== undefined) reconcile(world, replica.becomes.role);
}
