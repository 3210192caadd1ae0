import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import { tokensPerSecond, type TokensPerSecond } from "../../core/units.ts";
import type { Models } from "../learn/learn.ts";
import type { Demand } from "./demand.ts";
import { normalQuantile, waiting } from "./queueing.ts";

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
  const decode = predictDecode(plan.decode, s, drained(plan.prefill, s));
  const prefill = predictPrefill(plan.prefill, s);
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

function predictPrefill(replicas: number, s: Situation): { ttft: number; rho: number; floor: number } {
  const { demand, models } = s;
  const l = demand.lengths;
  const capacity = replicas * prefillVelocity(s) * s.trim.prefill * (1 - s.headroom);
  const offered = demand.prefillTokens + s.backlog.tokens / s.backlog.within;
  const rho = capacity > 0 ? offered / capacity : Infinity;
  const one = prefillSeconds(models.prefill, l.uncached, l.uncached * l.isl);
  const long = prefillSeconds(models.prefill, l.uncachedP95, l.uncachedP95 * (l.uncachedP95 / Math.max(1 - l.cacheShare, 0.01)));
  const wait = waiting({
    servers: replicas,
    rho,
    service: one / s.trim.prefill,
    arrivalScv: demand.burstiness,
    serviceScv: Math.max(0, l.spread - 1),
    quantile: s.quantile.ttft,
  });
  // The quantile of a sum is below the sum of quantiles: either the prompt is long or the wait is.
  return { ttft: Math.max(long + wait.mean, one + wait.tail), rho, floor: long };
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

function predictDecode(replicas: number, s: Situation, handedOver: number): { itl: number; rho: number; admission: number; batch: number } {
  const m = s.models.decode;
  const context = Math.max(s.demand.lengths.context, 1);
  const offered = s.demand.decodeTokens + handedOver + s.backlog.decodeTokens / s.backlog.within;
  const perReplica = offered / Math.max(replicas, 1) / (s.trim.decode * (1 - s.headroom));
  const slope = m.d1 + m.d2 * context;
  // Fixed point of B = r·t(B): a replica makes B/t(B) tokens per second, at most 1/slope.
  const left = 1 - perReplica * slope;
  if (left <= 0.02) return { itl: Infinity, rho: Math.max(1, perReplica * slope), admission: Infinity, batch: Infinity };
  const batch = (perReplica * m.d0) / left;
  // Sequences in a pool that arrive in clumps: variance ÷ mean 1 + (I − 1)/2 (M^X/M/∞), shared evenly by replicas that requests join
  // where fewest run.
  const variance = (batch * (1 + (s.demand.burstiness - 1) / 2)) / Math.max(replicas, 1);
  const crowded = batch + normalQuantile(s.quantile.itl) * Math.sqrt(variance);
  const room = Math.min(s.limits.maxNumSeqs, (0.9 * s.models.kvCapacity) / context);
  const running = Math.min(crowded, room);
  const itl = decodeSeconds(m, running, running * context);
  // Past its room a replica makes requests wait for a slot: about the excess share of a request's life.
  const life = (s.demand.lengths.osl ?? 100) * itl;
  const admission = crowded > room ? ((crowded - room) / room) * life : 0;
  return { itl, rho: batch / Math.max(room, 1), admission, batch };
}
