import { prefillTime, stepTime, type PlannerModel } from "./planner-model.ts";

/** One engine as its forward-pass metrics show it; here the pool's mean, because an observation sums engines up. */
export interface EngineLoad {
  readonly replicas: number;
  readonly queuedTokens: number;
  readonly prompt: number;
  readonly hitRate: number;
  readonly sequences: number;
  readonly kvTokens: number;
  readonly context: number;
  readonly kvCapacity: number;
  readonly maxBatchedTokens: number;
}

/** `load_scaling_down_sensitivity`, 80 %. */
const SENSITIVITY = 0.8;
const MOST_HIT_RATE = 0.95;

/** SLA mode, prefill: +1 when all engines' estimated TTFT is over; −1 when N − 1 engines would keep 80 % of the slack. */
export function prefillStep(model: PlannerModel, e: EngineLoad, ttft: number): -1 | 0 | 1 {
  const estimate = (scale: number): number => {
    const tokens = (e.queuedTokens * scale + e.prompt) * (1 - Math.min(MOST_HIT_RATE, e.hitRate));
    return prefillTime(model, tokens, e.prompt, e.maxBatchedTokens);
  };
  if (estimate(1) > ttft) return 1;
  if (e.replicas < 2) return 0;
  const own = estimate(0);
  return estimate(e.replicas / (e.replicas - 1)) - own < (ttft - own) * SENSITIVITY ? -1 : 0;
}

/** SLA mode, decode: the ITL with one more request, now and with the load of N − 1 engines. */
export function decodeStep(model: PlannerModel, e: EngineLoad, itl: number): -1 | 0 | 1 {
  const estimate = (scale: number): number => stepTime(model, e.sequences * scale + 1, e.kvTokens * scale + e.context);
  if (estimate(1) > itl) return 1;
  if (e.replicas < 2) return 0;
  const scale = e.replicas / (e.replicas - 1);
  return e.kvTokens * scale < e.kvCapacity && estimate(scale) < itl * SENSITIVITY ? -1 : 0;
}

/** Easy mode `throughput`, prefill: queued tokens ÷ context length, up at 1, down under 0.1. */
export function easyPrefillStep(e: EngineLoad, contextLength: number): -1 | 0 | 1 {
  const ratio = e.queuedTokens / contextLength;
  if (ratio >= 1) return 1;
  return ratio < 0.1 && e.replicas > 1 ? -1 : 0;
}

/** Easy mode `throughput`, decode: (running + queued) KV ÷ capacity, up over 1, down under 0.6. */
export function easyDecodeStep(e: EngineLoad): -1 | 0 | 1 {
  const utilization = e.kvTokens / e.kvCapacity;
  if (utilization > 1) return 1;
  return utilization < 0.6 && e.replicas > 1 ? -1 : 0;
}
