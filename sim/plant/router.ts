import { allocated, computeHere, hasRoom, reserve } from "./decode.ts";
import type { Job } from "./job.ts";
import { send } from "./link.ts";
import { enqueue } from "./prefill.ts";
import type { DecodeReplica, PrefillReplica, World } from "./world.ts";

/** Hands waiting requests to ready prefill replicas, oldest first. */
export function routePrompts(world: World): void {
  while (world.unrouted.size > 0) {
    const job = world.unrouted.peek();
    const replica = job === undefined ? undefined : pickPrefill(world, job);
    const local = job === undefined ? undefined : pickLocal(world, job, replica);
    if (job !== undefined && local !== undefined) {
      world.unrouted.shift();
      computeHere(world, local, job);
      continue;
    }
    if (job === undefined || replica === undefined) return;
    world.unrouted.shift();
    enqueue(world, replica, job);
  }
}

/** Hands computed prompts to decode replicas with KV room, strictly oldest first so that a long one cannot starve. */
export function routeHandoffs(world: World): void {
  while (world.handoffs.size > 0) {
    const job = world.handoffs.peek();
    const target = job === undefined ? undefined : pickDecode(world, job);
    if (job === undefined || target === undefined) return;
    world.handoffs.shift();
    const source = world.prefill.find((replica) => replica.id === job.prefillReplica);
    if (source === undefined) continue;
    source.parked -= 1;
    reserve(world, target, job);
    send(world, source, job);
  }
}

const pickPrefill = (world: World, job: Job): PrefillReplica | undefined => pickLeast(world, world.prefill, job, tokensUntilDone);

/** Where decode may take prompts: the emptiest replica with room, a slot and no prompt under way, once the prefill queue is long. */
function pickLocal(world: World, job: Job, prefill: PrefillReplica | undefined): DecodeReplica | undefined {
  const rule = world.config.decode.localPrefill;
  if (rule === undefined || (prefill !== undefined && prefill.queuedTokens <= rule.queueTokens)) return undefined;
  return pickLeast(world, world.decode, job, kvWithSlotForPrompt);
}

/** Least allocated KV among those with a free sequence slot, else among those with KV room. */
const pickDecode = (world: World, job: Job): DecodeReplica | undefined =>
  pickLeast(world, world.decode, job, kvWithSlot) ?? pickLeast(world, world.decode, job, kvWithRoom);

/** What choosing a replica for a job costs; undefined where it cannot be chosen. Named once, not per job: they are called for every replica. */
type Cost<R> = (world: World, replica: R, job: Job) => number | undefined;

/**
 * Least tokens to compute until this prompt would be done: the queue plus its own uncached part. A longer
 * prefix hit thus wins exactly as far as it saves work (the cost rule of Dynamo's and Mooncake's routers).
 */
const tokensUntilDone: Cost<PrefillReplica> = (_world, replica, job) =>
  replica.phase === "ready"
    ? replica.queuedTokens + job.promptTokens - replica.cache.hit(job.request.hashIds, job.promptTokens)
    : undefined;

const kvWithRoom: Cost<DecodeReplica> = (world, replica, job) =>
  replica.phase === "ready" && hasRoom(world, replica, job) ? allocated(world, replica) : undefined;

const kvWithSlot: Cost<DecodeReplica> = (world, replica, job) =>
  replica.running.size + replica.waiting.size + replica.incoming >= world.maxNumSeqs ? undefined : kvWithRoom(world, replica, job);

const kvWithSlotForPrompt: Cost<DecodeReplica> = (world, replica, job) =>
  replica.local === undefined ? kvWithSlot(world, replica, job) : undefined;

/** The replica of least cost; equal costs are drawn evenly, so that an idle pool does not always use its first. */
function pickLeast<R>(world: World, replicas: readonly R[], job: Job, cost: Cost<R>): R | undefined {
  let best: R | undefined;
  let least = Infinity;
  let ties = 0;
  for (const replica of replicas) {
    const value = cost(world, replica, job);
    if (value === undefined || value > least) continue;
    ties = value < least ? 1 : ties + 1;
    if (ties > 1 && world.random() * ties >= 1) continue;
    best = replica;
    least = value;
  }
  return best;
}
