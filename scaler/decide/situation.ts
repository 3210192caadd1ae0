import type { Observation } from "../../core/observation.ts";
import { tokensPerSecond, type TokensPerSecond } from "../../core/units.ts";
import { models, type Learned } from "../learn/learn.ts";
import type { PolicySpec } from "../policy/schema.ts";
import { decodeBatch, prefillBudget } from "./batch.ts";
import type { Demand } from "./demand.ts";
import type { FulcrumState } from "./state.ts";
import { transferBound } from "./transfer-bound.ts";
import { prefillVelocity, type Situation } from "./predict.ts";

/** Backlog is cleared within this many seconds at the earliest: faster would buy replicas for one burst. */
const CLEAR_WITHIN = 15;
/** Seconds of work that may wait whatever the target: a longer queue is a backlog in any case. */
const MOST_HARMLESS = 10;

/** Gathers what predictions need: models, trims, batch limits in force, and the backlog at readiness. */
export function situate(state: FulcrumState, learned: Learned, demand: Demand, o: Observation, spec: PolicySpec): Situation {
  const m = models(learned, state.prior);
  const limits = limitsInForce(m, demand, o, spec);
  const trim = { prefill: state.trim.prefill.factor, decode: state.trim.decode.factor };
  const velocity = prefillVelocity({ demand, models: m, limits }) * trim.prefill;
  const queued = o.pools.prefill?.queue;
  const waitingTokens = queued?.tokens ?? (queued?.requests ?? 0) * demand.lengths.uncached;
  const lead = learned.lead.prefill.value;
  const serving = servingShare(o.pools.prefill?.replicas, lead);
  const capacity = serving * velocity;
  // What the running replicas work off within half the target is a queue, not a backlog.
  const harmless = capacity * Math.min(MOST_HARMLESS, (spec.objectives.ttft?.target ?? 0) / 2);
  const atReadiness = Math.max(0, waitingTokens + (demand.prefillTokensNow - capacity) * lead - harmless);
  // What waits for its KV is no work that decode could do.
  const held = transferBound(o, learned.workload, state.prior);
  const decodeQueue = held ? 0 : (o.pools.decode?.queue?.requests ?? 0) * (demand.lengths.osl ?? 0);
  return {
    demand,
    models: m,
    trim,
    quantile: { ttft: spec.objectives.ttft?.quantile ?? 0.95, itl: spec.objectives.itl?.quantile ?? 0.95 },
    backlog: { tokens: waitingTokens > 0 ? atReadiness : 0, decodeTokens: decodeQueue, within: CLEAR_WITHIN },
    limits,
    headroom: spec.objectives.headroom,
    ...localRule(o, spec),
  };
}

/**
 * Of engines that have convertible decode: the chunk, and the latencies within which it may be counted on. Only where the decode pool is seen
 * to have room: what nobody reports is not counted on, nor a pool that misses ITL already, nor a replica that is not there yet.
 */
export function localRule(o: Observation, { pools, objectives }: PolicySpec): Pick<Situation, "local"> {
  const rule = pools.decode.localPrefill;
  if (rule === undefined) return {};
  const { replicas, running, queue, interval } = o.pools.decode ?? {};
  const target = objectives.itl?.target ?? Infinity;
  const seen =
    running?.requests !== undefined && queue?.requests !== undefined && interval?.itl !== undefined && interval.itl.p95 <= target;
  if (!seen || replicas === undefined || replicas.ready === 0) return {};
  return { local: { ...rule, ready: replicas.ready, ttft: objectives.ttft?.target ?? Infinity, itl: target } };
}

/** Ready replicas, and starting ones for the share of the lead time they will already serve. */
function servingShare(
  r: { readonly ready: number; readonly starting: readonly { readonly age: number }[] } | undefined,
  lead: number,
): number {
  if (r === undefined) return 0;
  const soon = r.starting.reduce((sum, s) => sum + Math.min(1, Math.max(0, s.age / Math.max(lead, 1e-9))), 0);
  return r.ready + soon;
}

function limitsInForce(m: Situation["models"], demand: Demand, o: Observation, spec: PolicySpec): Situation["limits"] {
  const { prefill, decode } = spec.pools;
  const itl = spec.objectives.itl?.target ?? Infinity;
  const best = decodeBatch(m.decode, itl, demand.lengths.context, m.kvCapacity);
  const wanted = {
    maxBatchedTokens: prefillBudget(m.prefill, 0.8, prefill.batch.maxBatchedTokens),
    maxNumSeqs: Math.min(Math.max(Math.floor(best), decode.batch.maxNumSeqs.min), decode.batch.maxNumSeqs.max),
  };
  const [prefillNow, decodeNow] = [o.pools.prefill?.limits, o.pools.decode?.limits];
  const sets = (apply: string, fixed: true | undefined): boolean => apply === "live" && fixed !== true;
  // A limit that we only recommend, or that the engines refuse, is not in force: predict with the engine's own.
  return {
    maxBatchedTokens: sets(prefill.batch.apply, prefillNow?.fixed)
      ? wanted.maxBatchedTokens
      : (prefillNow?.maxBatchedTokens ?? wanted.maxBatchedTokens),
    maxNumSeqs: sets(decode.batch.apply, decodeNow?.fixed) ? wanted.maxNumSeqs : (decodeNow?.maxNumSeqs ?? wanted.maxNumSeqs),
  };
}

/** Output tokens per second of one decode replica at the batch that meets ITL: B/t(B). */
export function decodeVelocity(s: Situation, itl: number): TokensPerSecond {
  const context = Math.max(s.demand.lengths.context, 1);
  const b = Math.min(decodeBatch(s.models.decode, itl, context, s.models.kvCapacity), s.limits.maxNumSeqs);
  return tokensPerSecond(b / (s.models.decode.d0 + (s.models.decode.d1 + s.models.decode.d2 * context) * b));
}

export const modelErrors = (l: Learned): { prefill: number; decode: number } => ({ prefill: l.prefill.error, decode: l.decode.error });
