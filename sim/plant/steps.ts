import { decodeSeconds, type DecodeModel } from "../../core/latency-model.ts";

/**
 * Closed form of a decode batch that nothing joins or leaves: each step adds one KV token per sequence, so
 * step times are an arithmetic series and k steps take k·t₀ + d2·B·k(k−1)/2, t₀ the first step's time.
 */
export function runSeconds(model: DecodeModel, sequences: number, kvTokens: number, steps: number): number {
  return steps * decodeSeconds(model, sequences, kvTokens) + (model.d2 * sequences * steps * (steps - 1)) / 2;
}

/** Whole steps done after `elapsed` seconds: the inverse of runSeconds, rounded down and repaired for rounding error. */
export function stepsWithin(model: DecodeModel, sequences: number, kvTokens: number, elapsed: number): number {
  if (elapsed <= 0) return 0;
  const first = decodeSeconds(model, sequences, kvTokens);
  // A free step (all coefficients zero) takes no time: any number fits.
  if (first <= 0) return Infinity;
  const half = (model.d2 * sequences) / 2;
  const linear = first - half;
  const root = half > 0 ? (2 * elapsed) / (linear + Math.sqrt(linear * linear + 4 * half * elapsed)) : elapsed / first;
  let steps = Math.max(0, Math.floor(root));
  while (runSeconds(model, sequences, kvTokens, steps + 1) <= elapsed) steps += 1;
  while (steps > 0 && runSeconds(model, sequences, kvTokens, steps) > elapsed) steps -= 1;
  return steps;
}
