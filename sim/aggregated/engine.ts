import { decodeSeconds, prefillSeconds, type DecodeModel, type PrefillModel } from "../../core/latency-model.ts";
import type { Fifo } from "../plant/fifo.ts";
import type { Heap } from "../plant/heap.ts";
import { recompute, toRecord, type Job } from "../plant/job.ts";
import type { PlantPhase, PrefillDone } from "../plant/plant.types.ts";
import type { PrefixCache } from "../plant/prefix-cache.ts";
import { runSeconds, stepsWithin } from "../plant/steps.ts";
import type { AggregatedConfig, AggregatedSink, MixedStep } from "./aggregated.types.ts";

/** One engine that computes prompts and decodes in the same batch (vLLM's chunked prefill, Sarathi-Serve). */
export interface Engine {
  readonly id: number;
  readonly createdAt: number;
  phase: PlantPhase;
  gone: boolean;
  epoch: number;
  readonly queue: Fifo<Job>;
  readonly cache: PrefixCache;
  /** Admitted, prompt not wholly computed. */
  prefilling: Job[];
  /** Chunks of the step in progress. */
  chunks: { readonly job: Job; readonly tokens: number }[];
  /** Decoding, first to finish on top. */
  readonly running: Heap<Job>;
  /** KV of the decoding sequences at the start of the run, and KV set aside for prompts being computed. */
  kv: number;
  held: number;
  /** Prompt tokens routed here and not computed yet. */
  queuedTokens: number;
  steps: number;
  runStart: number;
  /** Steps of the run in progress; 0 = idle. A run with chunks has one. */
  runSteps: number;
}

/** What an engine needs of the plant around it. */
export interface EngineWorld {
  readonly config: AggregatedConfig;
  readonly models: { readonly prefill: PrefillModel; readonly decode: DecodeModel };
  readonly sink: AggregatedSink;
  readonly maxRunSteps: number;
  now: number;
  admissions: number;
  inFlight: number;
  schedule(at: number, engine: Engine): void;
}

/** Share of KV memory a new prompt may fill; the rest is growth room for the batch, as in the decode replicas. */
const WATERMARK = 0.99;

export function mixedSeconds(
  models: EngineWorld["models"],
  how: MixedStep,
  tokens: number,
  tokensLength: number,
  b: number,
  kv: number,
): number {
  const prompt = prefillSeconds(models.prefill, tokens, tokensLength);
  if (b === 0) return prompt;
  const both = prompt + decodeSeconds(models.decode, b, kv);
  if (how === "sum") return both;
  return both - Math.min(models.decode.d0, prefillSeconds(models.prefill, tokens, 0));
}

export function enqueue(world: EngineWorld, engine: Engine, job: Job): void {
  job.prefillReplica = engine.id;
  job.decodeReplica = engine.id;
  job.enqueuedAt = world.now;
  hold(engine, job);
  engine.queue.push(job);
  if (engine.runSteps === 0) startRun(world, engine);
  else if (engine.chunks.length === 0 && sequences(engine) < world.config.maxNumSeqs) shorten(world, engine);
}

const sequences = (engine: Engine): number => engine.running.size + engine.prefilling.length;

/** Counts a waiting prompt's work; cached prefix blocks are none. */
function hold(engine: Engine, job: Job): void {
  job.queuedTokens = job.promptTokens - engine.cache.hit(job.request.hashIds, job.promptTokens);
  engine.queuedTokens += job.queuedTokens;
}

/** KV set aside or resident, the tokens of the step in progress included. */
export function allocated(world: EngineWorld, engine: Engine): number {
  return engine.kv + engine.held + engine.running.size * stepsBegun(world, engine);
}

function stepsBegun(world: EngineWorld, { running, kv, runStart, runSteps }: Engine): number {
  // A run with chunks has one step; an idle engine has none.
  if (runSteps <= 1) return runSteps;
  return Math.min(runSteps, stepsWithin(world.models.decode, running.size, kv, world.now - runStart) + 1);
}

/** A prompt arrived while the batch only decodes: its first chunk goes into the next step. */
function shorten(world: EngineWorld, engine: Engine): void {
  const { running, kv, runSteps } = engine;
  const steps = stepsBegun(world, engine);
  if (steps >= runSteps) return;
  engine.epoch += 1;
  engine.runSteps = steps;
  world.schedule(Math.max(world.now, engine.runStart + runSeconds(world.models.decode, running.size, kv, steps)), engine);
}

/** Makes room, fills the token budget, and runs: one mixed step, or as many decode steps as nothing changes in. */
export function startRun(world: EngineWorld, engine: Engine): void {
  const { config, models } = world;
  const { running } = engine;
  const room = (): number => config.kvCapacityTokens - engine.kv - engine.held;
  while (running.size > 0 && room() < running.size) preemptNewest(engine);
  const sums = fillBudget(world, engine);
  engine.runStart = world.now;
  engine.epoch += 1;
  if (engine.chunks.length > 0) {
    engine.runSteps = 1;
    const seconds = mixedSeconds(models, config.mixedStep, sums.tokens, sums.tokensLength, running.size, engine.kv);
    world.schedule(world.now + seconds, engine);
    return;
  }
  const next = running.peek();
  engine.runSteps = next === undefined ? 0 : Math.min(next.finishStep - engine.steps, Math.floor(room() / running.size), world.maxRunSteps);
  if (next !== undefined) world.schedule(world.now + runSeconds(models.decode, running.size, engine.kv, engine.runSteps), engine);
}

/** First come, first served: decoding sequences take a token each, prompts share the rest, the last one in part. */
function fillBudget(world: EngineWorld, engine: Engine): { tokens: number; tokensLength: number } {
  let budget = world.config.maxBatchedTokens - engine.running.size;
  let tokens = 0;
  let tokensLength = 0;
  const add = (job: Job): void => {
    const part = Math.min(job.remaining, budget);
    if (part <= 0) return;
    engine.chunks.push({ job, tokens: part });
    budget -= part;
    tokens += part;
    // As in the prefill replicas, a chunk's attention counts its prompt's full length: the chunks cost what one pass would.
    tokensLength += part * job.promptTokens;
  };
  for (const job of engine.prefilling) add(job);
  for (let job = engine.queue.peek(); job !== undefined && budget > 0 && admits(world, engine, job); job = engine.queue.peek()) {
    engine.queue.shift();
    admit(world, engine, job);
    add(job);
  }
  return { tokens, tokensLength };
}

function admits(world: EngineWorld, engine: Engine, job: Job): boolean {
  const { maxNumSeqs, maxBatchedTokens, kvCapacityTokens } = world.config;
  // Every sequence needs its token in every step, so the budget bounds the batch too.
  const inside = sequences(engine);
  if (inside === 0) return true;
  if (inside >= Math.min(maxNumSeqs, maxBatchedTokens)) return false;
  return engine.kv + engine.held + engine.running.size + job.promptTokens <= WATERMARK * kvCapacityTokens;
}

function admit(world: EngineWorld, engine: Engine, job: Job): void {
  world.admissions += 1;
  job.admission = world.admissions;
  const cached = engine.cache.hit(job.request.hashIds, job.promptTokens);
  job.cachedTokens = cached;
  job.remaining = job.promptTokens - cached;
  job.prefillStart = world.now;
  engine.queuedTokens += job.remaining - job.queuedTokens;
  engine.held += job.promptTokens;
  engine.prefilling.push(job);
}

/** Preemption by recompute: the newest sequence gives its KV back and waits at the head of the queue. */
function preemptNewest(engine: Engine): void {
  const partial = engine.prefilling.pop();
  if (partial !== undefined) {
    engine.held -= partial.promptTokens;
    engine.queuedTokens -= partial.remaining;
    recompute(partial, partial.generated);
    waitFirst(engine, partial);
    return;
  }
  const newest = engine.running.all().reduce((a, b) => (b.admission > a.admission ? b : a));
  const generated = newest.request.outputTokens - (newest.finishStep - engine.steps);
  engine.running.remove(newest);
  engine.kv -= newest.request.inputTokens + generated - 1;
  recompute(newest, generated);
  waitFirst(engine, newest);
}

function waitFirst(engine: Engine, job: Job): void {
  hold(engine, job);
  engine.queue.unshift(job);
}

/** Ends the run in progress: decoded tokens, computed chunks, first tokens, finished sequences; then the next run. */
export function endRun(world: EngineWorld, engine: Engine): void {
  const { running, runSteps: steps } = engine;
  if (running.size > 0) {
    const stepSeconds = (world.now - engine.runStart) / steps;
    const kvTokens = engine.kv + (running.size * (steps - 1)) / 2;
    world.sink.decodeSteps?.(engine.id, { at: world.now, steps, stepSeconds, sequences: running.size, kvTokens, promptTokens: 0 });
  }
  engine.steps += steps;
  engine.kv += running.size * steps;
  engine.runSteps = 0;
  endChunks(world, engine);
  for (let job = running.peek(); job !== undefined && job.finishStep <= engine.steps; job = running.peek()) {
    running.pop();
    engine.kv -= job.request.inputTokens + job.request.outputTokens - 1;
    world.inFlight -= 1;
    world.sink.finished?.(toRecord(job, world.now, false));
  }
  startRun(world, engine);
}

function endChunks(world: EngineWorld, engine: Engine): void {
  const { chunks } = engine;
  if (chunks.length === 0) return;
  engine.chunks = [];
  const finished: PrefillDone[] = [];
  let tokens = 0;
  for (const { job, tokens: part } of chunks) {
    tokens += part;
    job.remaining -= part;
    if (job.remaining === 0) finished.push(endPrompt(world, engine, job));
  }
  engine.queuedTokens -= tokens;
  engine.prefilling = engine.prefilling.filter((job) => job.remaining > 0);
  world.sink.prefillPass?.(engine.id, { at: world.now, seconds: world.now - engine.runStart, tokens, finished });
}

/** The pass that computes a prompt's last token makes its first output token: no transfer, no further step. */
function endPrompt(world: EngineWorld, engine: Engine, job: Job): PrefillDone {
  const { now } = world;
  const { request } = job;
  engine.held -= job.promptTokens;
  engine.kv += job.promptTokens;
  engine.cache.store(request.hashIds);
  Object.assign(job, { prefillEnd: now, transferStart: now, transferEnd: now, decodeStart: now });
  if (job.generated === 0) {
    job.firstToken = now;
    world.sink.firstToken?.(engine.id, request, now, now - request.arrival);
  }
  job.finishStep = engine.steps + request.outputTokens - job.generated - 1;
  engine.running.push(job);
  return {
    request,
    cachedTokens: job.cachedTokens,
    queueSeconds: job.prefillStart - job.enqueuedAt,
    prefillSeconds: now - job.prefillStart,
  };
}

/** Everything a crash takes with it. */
export function evict(engine: Engine): Job[] {
  engine.chunks = [];
  engine.runSteps = 0;
  return [...engine.running.all(), ...engine.prefilling, ...engine.queue.extract(() => true)];
}
