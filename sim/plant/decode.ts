import { recompute, toRecord, type Job } from "./job.ts";
import { beginChunk, endChunk } from "./local-prefill.ts";
import { runSeconds, stepsWithin } from "./steps.ts";
import { schedule, type DecodeReplica, type World } from "./world.ts";

/**
 * Share of KV memory a new prompt may fill. The rest is growth room for the batch: vLLM's block manager
 * kept the same 1 % watermark against preempting right after admission.
 */
const WATERMARK = 0.99;

/** KV set aside or resident, the tokens of the step in progress included: what an engine's usage gauge says. */
export function allocated(world: World, replica: DecodeReplica): number {
  return replica.kv + replica.running.size * stepsBegun(world, replica) + replica.reserved;
}

export function hasRoom(world: World, replica: DecodeReplica, job: Job): boolean {
  const used = allocated(world, replica);
  return used === 0 || used + job.promptTokens <= WATERMARK * world.config.kvCapacityTokens;
}

/** Sets KV room aside before the transfer starts, and shortens a run that would have grown into it. */
export function reserve(world: World, replica: DecodeReplica, job: Job): void {
  job.decodeReplica = replica.id;
  replica.incoming += 1;
  replica.reserved += job.promptTokens;
  const size = replica.running.size;
  if (size === 0) return;
  const room = Math.floor((world.config.kvCapacityTokens - replica.reserved - replica.kv) / size);
  if (room < replica.runSteps) shorten(world, replica, Math.max(room, stepsBegun(world, replica)));
}

/** KV arrived: the sequence joins the batch at the next step boundary when there is a slot. */
export function arrive(world: World, replica: DecodeReplica, job: Job): void {
  replica.incoming -= 1;
  replica.waiting.push(job);
  joinSoon(world, replica);
}

/** Ends the run at the next step boundary when somebody waits who could join. */
export function joinSoon(world: World, replica: DecodeReplica): void {
  if (replica.runSteps === 0) startRun(world, replica);
  else if (replica.waiting.size > 0 && replica.running.size < world.maxNumSeqs) shorten(world, replica, stepsBegun(world, replica));
}

/** The prompt is computed here from the next step boundary on; its room is set aside at once. */
export function computeHere(world: World, replica: DecodeReplica, job: Job): void {
  reserve(world, replica, job);
  job.prefillReplica = replica.id;
  job.enqueuedAt = world.now;
  replica.local = job;
  world.sink.enqueued?.(replica.id, job.request, world.now);
  if (replica.runSteps === 0) startRun(world, replica);
  else interrupt(world, replica);
}

/** Ends the run at the next step boundary, so that a change of speed counts from there on. */
export function interrupt(world: World, replica: DecodeReplica): void {
  shorten(world, replica, stepsBegun(world, replica));
}

function stepsDone(world: World, replica: DecodeReplica): number {
  // A step with a chunk in it is told as a whole, at its end.
  if (replica.runSteps === 0 || replica.chunk > 0) return 0;
  const elapsed = world.now - replica.runStart;
  return Math.min(replica.runSteps, stepsWithin(replica.model, replica.running.size, replica.kv, elapsed));
}

function stepsBegun(world: World, replica: DecodeReplica): number {
  return Math.min(replica.runSteps, stepsDone(world, replica) + 1);
}

function shorten(world: World, replica: DecodeReplica, steps: number): void {
  if (steps >= replica.runSteps) return;
  replica.epoch += 1;
  replica.runSteps = steps;
  schedule(world, Math.max(world.now, replica.runStart + runTime(replica, steps)), "run", replica);
}

/** Admits who waits, makes room for one step, and runs until the first sequence ends or memory is full. */
function startRun(world: World, replica: DecodeReplica): void {
  admit(world, replica);
  const { running } = replica;
  let room = growth(world, replica);
  while (running.size > 0 && room < 1) {
    preemptNewest(world, replica);
    admit(world, replica);
    room = growth(world, replica);
  }
  const next = running.peek();
  beginChunk(world, replica);
  if (next === undefined && replica.chunk === 0) return;
  const single = replica.fresh.length > 0 || replica.chunk > 0;
  const until = next === undefined || single ? 1 : next.finishStep - replica.steps;
  replica.runStart = world.now;
  replica.model = world.models.decode;
  replica.runSteps = Math.min(until, Math.max(1, room), world.maxRunSteps);
  replica.reported = 0;
  replica.epoch += 1;
  schedule(world, world.now + runTime(replica, replica.runSteps), "run", replica);
}

/** Time of the run's first `steps` steps: decode, and what a chunk adds to its only step. */
function runTime(replica: DecodeReplica, steps: number): number {
  const size = replica.running.size;
  const decoding = size === 0 ? 0 : runSeconds(replica.model, size, replica.kv, steps);
  return replica.chunk === 0 ? decoding : decoding + (steps > 0 ? replica.chunkSeconds : 0);
}

function growth(world: World, replica: DecodeReplica): number {
  return Math.floor((world.config.kvCapacityTokens - replica.kv - replica.reserved) / Math.max(1, replica.running.size));
}

function admit(world: World, replica: DecodeReplica): void {
  const { waiting, running } = replica;
  while (waiting.size > 0 && running.size < world.maxNumSeqs) {
    const job = waiting.shift();
    if (job === undefined) return;
    world.admissions += 1;
    job.admission = world.admissions;
    job.decodeStart = world.now;
    job.finishStep = replica.steps + job.request.outputTokens - job.generated;
    replica.reserved -= job.promptTokens;
    replica.kv += job.promptTokens;
    running.push(job);
    if (job.generated === 0) replica.fresh.push(job);
  }
}

/** Preemption by recompute: the newest sequence gives its KV back and goes through prefill again. */
function preemptNewest(world: World, replica: DecodeReplica): void {
  const newest = replica.running.all().reduce((a, b) => (b.admission > a.admission ? b : a));
  const generated = newest.request.outputTokens - (newest.finishStep - replica.steps);
  replica.running.remove(newest);
  replica.fresh = replica.fresh.filter((job) => job !== newest);
  replica.kv -= newest.request.inputTokens + generated;
  recompute(newest, generated);
  world.unrouted.push(newest);
}

/** Tells the whole steps of the run in progress that are done and not yet told. */
export function reportProgress(world: World, replica: DecodeReplica): void {
  const done = stepsDone(world, replica);
  if (done <= replica.reported) return;
  const seconds = runSeconds(replica.model, replica.running.size, replica.kv, done);
  report(world, replica, done, Math.min(world.now, replica.runStart + seconds));
}

function report(world: World, replica: DecodeReplica, done: number, at: number): void {
  const steps = done - replica.reported;
  if (steps <= 0) return;
  const { kv, reported } = replica;
  const sequences = replica.running.size;
  if (sequences === 0) return;
  const seconds = runTime(replica, done) - runTime(replica, reported);
  const kvTokens = kv + (sequences * (reported + done - 1)) / 2;
  world.sink.decodeSteps?.(replica.id, { at, steps, stepSeconds: seconds / steps, sequences, kvTokens, promptTokens: replica.chunk });
  replica.reported = done;
}

/** Ends the run in progress: first tokens, finished sequences, then the next run. */
export function endRun(world: World, replica: DecodeReplica): void {
  const { running } = replica;
  const steps = replica.runSteps;
  report(world, replica, steps, world.now);
  replica.steps += steps;
  replica.kv += running.size * steps;
  replica.runSteps = 0;
  endChunk(world, replica);
  const { fresh } = replica;
  replica.fresh = [];
  for (const job of fresh) {
    job.firstToken = world.now;
    world.sink.firstToken?.(replica.id, job.request, world.now, world.now - job.request.arrival);
  }
  for (let job = running.peek(); job !== undefined && job.finishStep <= replica.steps; job = running.peek()) {
    running.pop();
    replica.kv -= job.request.inputTokens + job.request.outputTokens;
    world.inFlight -= 1;
    world.sink.finished?.(toRecord(job, world.now, false));
  }
  startRun(world, replica);
}

/** Everything a crash takes with it, jobs still on the link apart. */
export function evictSequences(replica: DecodeReplica): Job[] {
  const lost = [...replica.running.all(), ...replica.waiting.extract(() => true)];
  if (replica.local !== undefined) lost.push(replica.local);
  replica.local = undefined;
  replica.chunk = 0;
  for (const job of replica.running.all().slice()) replica.running.remove(job);
  replica.fresh = [];
  replica.runSteps = 0;
  return lost;
}
