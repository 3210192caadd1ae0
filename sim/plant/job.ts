import type { PlantRequest, RequestRecord } from "./plant.types.ts";

/** A request on its way through the plant. Mutable: one object from arrival to end, also across restarts. */
export interface Job {
  readonly request: PlantRequest;
  /** Tokens whose KV prefill must provide: the prompt, plus what was generated before a preemption. */
  promptTokens: number;
  /** Of those, not computed yet; −1 before its first pass looked into the prefix cache. */
  remaining: number;
  /** What the router counted into the replica's queue for it. */
  queuedTokens: number;
  /** Output tokens delivered before the current stay in a decode replica. */
  generated: number;
  enqueuedAt: number;
  cachedTokens: number;
  prefillReplica: number;
  decodeReplica: number;
  prefillStart: number;
  prefillEnd: number;
  transferStart: number;
  transferEnd: number;
  transferBytes: number;
  decodeStart: number;
  firstToken: number;
  /** The decode replica's step count at which its last token is made. */
  finishStep: number;
  /** Order of admission to the decode batch: the newest is preempted first. */
  admission: number;
  /** The stages up to the first token, kept when a preemption after it makes the job go through them again. */
  told: RequestRecord | undefined;
}

export function createJob(request: PlantRequest): Job {
  const job: Job = {
    request,
    promptTokens: request.inputTokens,
    remaining: -1,
    queuedTokens: 0,
    generated: 0,
    enqueuedAt: request.arrival,
    cachedTokens: 0,
    prefillReplica: -1,
    decodeReplica: -1,
    prefillStart: Number.NaN,
    prefillEnd: Number.NaN,
    transferStart: Number.NaN,
    transferEnd: Number.NaN,
    transferBytes: 0,
    decodeStart: Number.NaN,
    firstToken: Number.NaN,
    finishStep: 0,
    admission: 0,
    told: undefined,
  };
  return job;
}

/** After a crash everything starts over, generated tokens included; only the arrival stays. */
export function restart(job: Job): void {
  Object.assign(job, createJob(job.request));
}

/** After a preemption the prompt and what was generated are computed again; the user keeps what they have. */
export function recompute(job: Job, generated: number): void {
  if (generated > 0) job.told ??= toRecord(job, Number.NaN, false);
  job.generated = generated;
  job.promptTokens = job.request.inputTokens + generated;
  job.remaining = -1;
}

export function toRecord(job: Job, end: number, failed: boolean): RequestRecord {
  if (job.told !== undefined) return { ...job.told, decodeReplica: job.decodeReplica, end };
  return {
    request: job.request,
    prefillReplica: job.prefillReplica,
    decodeReplica: job.decodeReplica,
    cachedTokens: job.cachedTokens,
    prefillStart: job.prefillStart,
    prefillEnd: job.prefillEnd,
    transferStart: job.transferStart,
    transferEnd: job.transferEnd,
    transferBytes: job.transferBytes,
    decodeStart: job.decodeStart,
    firstToken: job.firstToken,
    end,
    failed,
  };
}
