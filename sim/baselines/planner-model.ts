import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import type { Observation } from "../../core/observation.ts";
import type { Prior } from "../../scaler/decide/controller.types.ts";

/**
 * The planner's forward-pass model: the offline table (here the prior) times a learned correction, the median of
 * observed ÷ native over up to 64 samples, from 5 on, kept within 0.5 to 2 (Dynamo with AIConfigurator's correction grid;
 * its buckets are one here, because an observation sums an interval's passes up).
 */
const MOST_SAMPLES = 64;
const LEAST_SAMPLES = 5;
const CORRECTION = { min: 0.5, max: 2 };

export interface PlannerModel {
  readonly prior: Prior;
  readonly prefillRatios: readonly number[];
  readonly decodeRatios: readonly number[];
}

export const newModel = (prior: Prior): PlannerModel => ({ prior, prefillRatios: [], decodeRatios: [] });

export function learnModel(model: PlannerModel, o: Observation, prompt: number): PlannerModel {
  const batches = o.pools.prefill?.interval?.batches;
  const steps = o.pools.decode?.interval?.steps;
  let { prefillRatios, decodeRatios } = model;
  if (batches !== undefined && batches.count > 0 && batches.tokens > 0) {
    const tokens = batches.tokens / batches.count;
    prefillRatios = add(prefillRatios, batches.seconds / batches.count / prefillSeconds(model.prior.prefill, tokens, tokens * prompt));
  }
  if (steps !== undefined && steps.count > 0) {
    const native = decodeSeconds(model.prior.decode, steps.sequences / steps.count, steps.kvTokens / steps.count);
    decodeRatios = add(decodeRatios, steps.seconds / steps.count / native);
  }
  return { ...model, prefillRatios, decodeRatios };
}

const add = (ratios: readonly number[], ratio: number): readonly number[] => [...ratios, ratio].slice(-MOST_SAMPLES);

function correction(ratios: readonly number[]): number {
  if (ratios.length < LEAST_SAMPLES) return 1;
  const median = ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 1;
  return Math.min(CORRECTION.max, Math.max(CORRECTION.min, median));
}

/** Time to prefill `tokens` of prompts of length `prompt`, in chunks of at most `chunk`. */
export function prefillTime(model: PlannerModel, tokens: number, prompt: number, chunk: number): number {
  const whole = Math.floor(tokens / chunk);
  const rest = tokens - whole * chunk;
  const pass = (size: number): number => (size > 0 ? prefillSeconds(model.prior.prefill, size, size * prompt) : 0);
  return correction(model.prefillRatios) * (whole * pass(chunk) + pass(rest));
}

export const stepTime = (model: PlannerModel, sequences: number, kvTokens: number): number =>
  correction(model.decodeRatios) * decodeSeconds(model.prior.decode, sequences, kvTokens);
