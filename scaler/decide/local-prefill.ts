import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import { predictDecode } from "./predict-decode.ts";
import type { Situation } from "./predict.ts";

/** What decode can do for prompts (convertible decode): uncached prompt tokens per second, and the seconds of a mean prompt. */
export interface LocalCapacity {
  readonly tokens: number;
  readonly seconds: number;
  /** Seconds of a step with a chunk where most sequences run, at the ITL quantile. */
  readonly step: number;
}

const none: LocalCapacity = { tokens: 0, seconds: 0, step: 0 };

/**
 * Prompts that decode replicas take in, a chunk c beside every step: D·c/(t_D(B, KV) + t_P(c)). Only what users do not notice counts: with a
 * chunk in each of its steps the pool must still meet ITL with a free slot, and a long prompt computed so must be within TTFT. Decode keeps
 * no prefixes, so of what it computes only the share that prefill would have computed counts.
 */
export function localCapacity(replicas: number, s: Situation, handedOver: number): LocalCapacity {
  const { local, models, demand } = s;
  if (local === undefined) return none;
  const l = demand.lengths;
  const chunk = Math.min(local.chunkTokens, Math.max(1, l.isl));
  const d0 = models.decode.d0 + prefillSeconds(models.prefill, chunk, chunk * l.isl * l.spread);
  const decode = { ...models.decode, d0 };
  const stretched = predictDecode(replicas, { ...s, models: { ...models, decode } }, handedOver);
  if (!(stretched.itl <= local.itl) || stretched.admission > 0) return none;
  const step = decodeSeconds(decode, stretched.batch, stretched.batch * Math.max(l.context, 1));
  const computed = Math.max(1 - l.cacheShare, 0.01);
  if (((l.uncachedP95 / computed) * step) / chunk > local.ttft) return none;
  return {
    tokens: ((Math.min(replicas, local.ready) * chunk) / step) * s.trim.decode * computed,
    seconds: (l.isl * step) / chunk,
    step: stretched.itl,
  };
}
