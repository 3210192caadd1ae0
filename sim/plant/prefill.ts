import { prefillSeconds } from "../../core/latency-model.ts";
import type { Job } from "./job.ts";
import type { PrefillDone } from "./plant.types.ts";
import { schedule, type PrefillReplica, type World } from "./world.ts";

/** Puts a routed request into the replica's queue and starts a pass when the replica is idle. */
export function enqueue(world: World, replica: PrefillReplica, job: Job): void {
  job.prefillReplica = replica.id;
  job.enqueuedAt = world.now;
  job.queuedTokens = job.promptTokens - replica.cache.hit(job.request.hashIds, job.promptTokens);
  replica.queuedTokens += job.queuedTokens;
  replica.queue.push(job);
  world.sink.enqueued?.(replica.id, job.request, world.now);
  startPass(world, replica);
}

/**
 * Fills the next pass first come, first served with whole prompts under the token budget. Only a prompt that
 * exceeds the budget alone is chunked; the attention cost of a chunk counts its prompt's full length, so the
 * chunks of a prompt cost together what one pass would, plus the fixed part per pass.
 */
export function startPass(world: World, replica: PrefillReplica): void {
  if (replica.batch.length > 0 || replica.queue.size === 0) return;
  let budget = world.maxBatchedTokens;
  let sumTokens = 0;
  let sumTokensLength = 0;
  for (let job = replica.queue.peek(); job !== undefined && budget > 0; job = replica.queue.peek()) {
    if (!fits(world, replica, job)) break;
    const remaining = job.remaining >= 0 ? job.remaining : job.promptTokens - replica.cache.hit(job.request.hashIds, job.promptTokens);
    const whole = remaining <= budget;
    if (!whole && replica.batch.length > 0) break;
    if (job.remaining < 0) admit(world, replica, job, remaining);
    const tokens = whole ? remaining : budget;
    replica.batch.push({ job, tokens });
    budget -= tokens;
    sumTokens += tokens;
    sumTokensLength += tokens * job.promptTokens;
    if (!whole) break;
    replica.queue.shift();
  }
  if (replica.batch.length === 0) return;
  replica.passStart = world.now;
  schedule(world, world.now + prefillSeconds(world.models.prefill, sumTokens, sumTokensLength), "pass", replica);
}

/** Computed KV stays here until its transfer ended, so a blocked handoff stops prefill when memory is full. */
function fits(world: World, replica: PrefillReplica, job: Job): boolean {
  if (job.remaining >= 0 || replica.heldTokens === 0) return true;
  return replica.heldTokens + job.promptTokens <= world.config.kvCapacityTokens;
}

function admit(world: World, replica: PrefillReplica, job: Job, remaining: number): void {
  job.remaining = remaining;
  job.cachedTokens = job.promptTokens - remaining;
  job.prefillStart = world.now;
  replica.heldTokens += job.promptTokens;
  replica.queuedTokens += remaining - job.queuedTokens;
}

/** Ends the pass in progress, hands finished prompts on and starts the next pass. */
export function endPass(world: World, replica: PrefillReplica): void {
  const { batch } = replica;
  const finished: PrefillDone[] = [];
  let tokens = 0;
  replica.batch = [];
  for (const part of batch) {
    const { job } = part;
    tokens += part.tokens;
    job.remaining -= part.tokens;
    if (job.remaining > 0) continue;
    job.prefillEnd = world.now;
    replica.cache.store(job.request.hashIds);
    replica.parked += 1;
    world.handoffs.push(job);
    finished.push({
      request: job.request,
      cachedTokens: job.cachedTokens,
      queueSeconds: job.prefillStart - job.enqueuedAt,
      prefillSeconds: world.now - job.prefillStart,
    });
  }
  replica.queuedTokens -= tokens;
  world.sink.prefillPass?.(replica.id, { at: world.now, seconds: world.now - replica.passStart, tokens, finished });
  startPass(world, replica);
}

/** Everything a crash would take with it, sent and parked prompts apart. */
export function evictPrompts(replica: PrefillReplica): Job[] {
  const partial = new Set(replica.queue.extract(() => true));
  for (const part of replica.batch) partial.add(part.job);
  replica.batch = [];
  replica.queuedTokens = 0;
  return [...partial];
}
