import type { Observation } from "../../core/observation.ts";

/** Means over everything seen in a fading memory: what a running average per request would say. */
export interface SeenLengths {
  readonly requests: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly finished: number;
  readonly outputTokens: number;
}

export const nothingSeen: SeenLengths = { requests: 0, inputTokens: 0, cachedTokens: 0, finished: 0, outputTokens: 0 };

/** Folds an observation in; `memory` is the time constant in seconds, Infinity for the mean since the start. */
export function seeLengths(before: SeenLengths, o: Observation, memory: number): SeenLengths {
  const p = o.pools.prefill?.interval;
  const d = o.pools.decode?.interval;
  const keep = Math.exp(-(p?.seconds ?? d?.seconds ?? 0) / memory);
  const finished = d?.finished ?? 0;
  return {
    requests: before.requests * keep + (p?.arrivals ?? 0),
    inputTokens: before.inputTokens * keep + (p?.inputTokens ?? 0),
    cachedTokens: before.cachedTokens * keep + (p?.cachedTokens ?? 0),
    finished: before.finished * keep + finished,
    outputTokens: before.outputTokens * keep + finished * (d?.osl?.mean ?? 0),
  };
}

export const meanPrompt = (s: SeenLengths): number => (s.requests > 0 ? s.inputTokens / s.requests : 0);
export const hitRate = (s: SeenLengths): number => (s.inputTokens > 0 ? s.cachedTokens / s.inputTokens : 0);
export const meanUncached = (s: SeenLengths): number => meanPrompt(s) * (1 - hitRate(s));
export const meanAnswer = (s: SeenLengths): number => (s.finished > 0 ? s.outputTokens / s.finished : 0);
