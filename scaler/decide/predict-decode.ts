import { decodeSeconds } from "../../core/latency-model.ts";
import { normalQuantile } from "./queueing.ts";
import type { Situation } from "./predict.ts";

export interface DecodePrediction {
  readonly itl: number;
  readonly rho: number;
  /** Seconds that a request waits for a slot. */
  readonly admission: number;
  /** Mean sequences per replica. */
  readonly batch: number;
}

/** Sequences and step time of the pool; `handedOver`: answer tokens per second that come beside the demand and the queue. */
export function predictDecode(replicas: number, s: Situation, handedOver: number): DecodePrediction {
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
