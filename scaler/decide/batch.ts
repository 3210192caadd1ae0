import type { DecodeModel, PrefillModel } from "../../core/latency-model.ts";
import { tokens, type Tokens } from "../../core/units.ts";
import { clamp } from "../learn/workload.ts";

/** Tokens per pass at which throughput is this share of the best; more only adds waiting at low load. */
const SATURATION = 0.95;
/** At high load the budget may grow to this multiple of the saturation point (reference: prefill batch study). */
const GROWTH = 8;
/** Below this utilisation the saturation point is best, above it the budget grows linearly. */
const LOW_LOAD = 0.6;
const GRAIN = 256;

/** Saturation point T = q/(1 − q)·c0/c1, not below where the pass leaves its floor (floor/c1). */
export function saturationTokens(m: PrefillModel): Tokens {
  return tokens(Math.max((SATURATION / (1 - SATURATION)) * (m.c0 / m.c1), m.floor / m.c1));
}

/** Prefill budget for a utilisation: T_sat below 0.6, growing to 8·T_sat as load approaches capacity. */
export function prefillBudget(m: PrefillModel, rho: number, range: { readonly min: number; readonly max: number }): number {
  const base = saturationTokens(m);
  const load = clamp((rho - LOW_LOAD) / (1 - LOW_LOAD), 0, 1);
  const wanted = base * (1 + (GROWTH - 1) * load);
  return clamp(Math.ceil(wanted / GRAIN) * GRAIN, range.min, range.max);
}

/**
 * Largest decode batch that meets the ITL target and fits the KV memory:
 * B = min((ITL − d0)/(d1 + d2·c̄), 0.9·KV/c̄), c̄ mean KV tokens of a sequence. At least 1.
 */
export function decodeBatch(m: DecodeModel, itl: number, context: number, kvCapacity: number): number {
  const byLatency = (itl - m.d0) / (m.d1 + m.d2 * Math.max(context, 1));
  const byMemory = (0.9 * kvCapacity) / Math.max(context, 1);
  return Math.max(1, Math.min(byLatency, byMemory));
}
