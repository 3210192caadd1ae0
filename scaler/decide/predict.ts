import { prefillSeconds } from "../../core/latency-model.ts";
import { tokensPerSecond, type TokensPerSecond } from "../../core/units.ts";
import type { Models } from "../learn/learn.ts";
import type { Demand } from "./demand.ts";
import { localCapacity, type LocalCapacity } from "./local-prefill.ts";
import { predictDecode } from "./predict-decode.ts";
import { waiting, type Waiting } from "./queueing.ts";

export interface Plan {
  readonly prefill: number;
  readonly decode: number;
}

/** What does not change from plan to plan within one tick. */
export interface Situation {
  readonly demand: Demand;
  readonly models: Models;
  /** Capacity factors from attainment. */
  readonly trim: { readonly prefill: number; readonly decode: number };
  readonly quantile: { readonly ttft: number; readonly itl: number };
  /** Prompt and answer tokens that will still be queued when new capacity can be there, and the time to clear them in. */
  readonly backlog: { readonly tokens: number; readonly decodeTokens: number; readonly within: number };
  readonly limits: { readonly maxBatchedTokens: number; readonly maxNumSeqs: number };
  /** Share of capacity kept free. */
  readonly headroom: number;
  /** Where decode computes prompts that would have to wait, and within which latencies it may. */
  readonly local?: {
    readonly chunkTokens: number;
    readonly queueTokens: number;
    readonly ready: number;
    readonly ttft: number;
    readonly itl: number;
  };
}

export interface Prediction {
  readonly ttft: number;
  readonly itl: number;
  /** Utilisation of each pool, 1 = the model's capacity. */
  readonly rho: { readonly prefill: number; readonly decode: number };
  /** TTFT of a long prompt on an idle fleet: no number of replicas goes below it. */
  readonly ttftFloor: number;
  /** Mean sequences per decode replica. */
  readonly batch: number;
}

/** Predicted latency quantiles of a plan: queue wait + prefill + KV transfer + decode admission + first step. */
export function predict(plan: Plan, s: Situation): Prediction {
  const handedOver = drained(plan.prefill, s);
  const decode = predictDecode(plan.decode, s, handedOver);
  const prefill = predictPrefill(plan.prefill, s, localCapacity(plan.decode, s, handedOver));
  const step = Number.isFinite(decode.itl) ? decode.itl : 0;
  const fixed = s.models.transfer + step;
  return {
    ttft: prefill.ttft + fixed + decode.admission,
    itl: decode.itl,
    rho: { prefill: prefill.rho, decode: decode.rho },
    ttftFloor: prefill.floor + s.models.transfer + s.models.decode.d0,
    batch: decode.batch,
  };
}

/** Tokens per second that one prefill replica sustains at its batch budget: V = b/t(b), attention at the mean length. */
export function prefillVelocity(s: Pick<Situation, "demand" | "models" | "limits">): TokensPerSecond {
  const m = s.models.prefill;
  const l = s.demand.lengths;
  const pass = Math.max(s.limits.maxBatchedTokens, 1);
  const attended = l.isl * l.spread;
  return tokensPerSecond(pass / prefillSeconds(m, pass, pass * attended));
}

function predictPrefill(replicas: number, s: Situation, local: LocalCapacity): { ttft: number; rho: number; floor: number } {
  const { demand, models } = s;
  const l = demand.lengths;
  const capacity = replicas * prefillVelocity(s) * s.trim.prefill * (1 - s.headroom);
  const offered = demand.prefillTokens + s.backlog.tokens / s.backlog.within;
  const one = prefillSeconds(models.prefill, l.uncached, l.uncached * l.isl);
  const long = prefillSeconds(models.prefill, l.uncachedP95, l.uncachedP95 * (l.uncachedP95 / Math.max(1 - l.cacheShare, 0.01)));
  const rho = capacity > 0 ? offered / capacity : Infinity;
  const wait = prefillWait(s, rho, replicas, one);
  // The quantile of a sum is below the sum of quantiles: either the prompt is long or the wait is.
  const alone = { ttft: Math.max(long + wait.mean, one + wait.tail), rho, floor: long };
  // Decode is for what comes on top: prefill itself must carry what is there now.
  if (local.tokens === 0 || !(Math.min(demand.prefillTokens, demand.prefillTokensNow) < capacity)) return alone;
  const rhoBeside = offered / (capacity + local.tokens);
  const beside = prefillWait(s, rhoBeside, (replicas * (capacity + local.tokens)) / capacity, one);
  // A prompt is turned to decode once so much is queued: what is not turned waits behind it.
  const queued = (s.local?.queueTokens ?? 0) / prefillVelocity(s);
  const ttft = Math.max(long + beside.mean, Math.max(one, local.seconds) + beside.tail) + queued;
  return ttft < alone.ttft ? { ttft, rho: rhoBeside, floor: long } : alone;
}

/** Wait before prefill servers of which each takes `one` seconds for a mean prompt. */
function prefillWait({ demand, trim, quantile }: Situation, rho: number, servers: number, one: number): Waiting {
  return waiting({
    servers,
    rho,
    service: one / trim.prefill,
    arrivalScv: demand.burstiness,
    serviceScv: Math.max(0, demand.lengths.spread - 1),
    quantile: quantile.ttft,
  });
}

/** Decode takes in what a worked-off queue hands it over this many times the time prefill is given for it: replicas for less would serve one rush. */
const ABSORBED = 8;

/**
 * Answer tokens per second that a backlog brings to decode while this many prefill replicas work it off: a queue before prefill is
 * decode's demand of the next minutes, at the rate at which prefill can hand it over.
 */
function drained(replicas: number, s: Situation): number {
  const { demand, backlog } = s;
  if (!(backlog.tokens > 0 && demand.lengths.uncached > 0)) return 0;
  const spare = Math.max(0, replicas * prefillVelocity(s) * s.trim.prefill - demand.prefillTokens);
  const rate = Math.min(backlog.tokens / (ABSORBED * backlog.within), spare);
  return (rate / demand.lengths.uncached) * (demand.lengths.osl ?? 0);
}
