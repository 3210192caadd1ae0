import { generateTrace, type Phase } from "./generate.ts";
import type { Trace } from "./trace.types.ts";

/**
 * The demo's workload: five minutes whose P/D balance moves. With the H200 8B profile (about 35k prompt tokens/s per
 * prefill replica, about 10k output tokens/s per decode replica at 15 ms ITL) the phases ask for roughly 2:3, 4:1,
 * 3:4 and 1:1 replicas. Every change has a ramp: nobody could follow one that takes no time.
 */
export const PHASES: readonly (Phase & { readonly name: string })[] = [
  { name: "chat", seconds: 80, rate: 40, ramp: 40, prompt: { median: 700, sigma: 0.7 }, answer: { median: 520, sigma: 0.5 } },
  { name: "long prompts", seconds: 85, rate: 14, ramp: 30, prompt: { median: 5000, sigma: 0.5 }, answer: { median: 110, sigma: 0.6 } },
  { name: "burst", seconds: 65, rate: 70, ramp: 15, prompt: { median: 700, sigma: 0.7 }, answer: { median: 400, sigma: 0.5 } },
  { name: "quiet", seconds: 70, rate: 5, ramp: 10, prompt: { median: 500, sigma: 0.7 }, answer: { median: 250, sigma: 0.6 } },
];

const START: Phase = { seconds: 0, rate: 6, ramp: 0, prompt: { median: 700, sigma: 0.7 }, answer: { median: 520, sigma: 0.5 } };

export function builtinTrace(seed = 1): Trace {
  return generateTrace({ name: "built-in: chat, long prompts, burst, quiet", start: START, phases: PHASES }, seed);
}
