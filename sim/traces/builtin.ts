import type { PlantRequest } from "../plant/plant.types.ts";
import { createRandom, exponential, normal, type Random } from "../random.ts";
import { assembleTrace, type Trace } from "./trace.types.ts";

/**
 * The demo's workload: five minutes whose P/D balance moves. With the H200 8B profile (about 35k prompt
 * tokens/s per prefill replica, about 15k output tokens/s per decode replica at 256 sequences) the phases ask
 * for roughly 2:3, 6:1, 4:4 and 1:1 replicas.
 */
interface Phase {
  readonly name: string;
  readonly seconds: number;
  /** Requests per second once the phase's ramp is over. */
  readonly rate: number;
  /** Lognormal prompt and answer lengths: median tokens and the log's standard deviation. */
  readonly prompt: { readonly median: number; readonly sigma: number };
  readonly answer: { readonly median: number; readonly sigma: number };
}

export const PHASES: readonly Phase[] = [
  { name: "chat", seconds: 80, rate: 80, prompt: { median: 450, sigma: 0.8 }, answer: { median: 340, sigma: 0.6 } },
  { name: "long prompts", seconds: 80, rate: 26, prompt: { median: 5000, sigma: 0.6 }, answer: { median: 110, sigma: 0.7 } },
  { name: "burst", seconds: 60, rate: 150, prompt: { median: 550, sigma: 0.8 }, answer: { median: 260, sigma: 0.7 } },
  { name: "quiet", seconds: 80, rate: 8, prompt: { median: 450, sigma: 0.8 }, answer: { median: 250, sigma: 0.7 } },
];

/** Rates move over this long from phase to phase; a burst that took no time at all could not be followed by anyone. */
const RAMP_SECONDS = 10;
const MAX_PROMPT = 32_000;
const MAX_ANSWER = 2_000;

export function builtinTrace(seed = 1): Trace {
  const random = createRandom(seed);
  const requests: PlantRequest[] = [];
  let start = 0;
  let before = PHASES[0]?.rate ?? 0;
  for (const phase of PHASES) {
    for (let at = start; ;) {
      const progress = Math.min(1, (at - start) / RAMP_SECONDS);
      at += exponential(random, 1 / (before + (phase.rate - before) * progress));
      if (at >= start + phase.seconds) break;
      requests.push({
        id: requests.length,
        arrival: at,
        inputTokens: length(random, phase.prompt, MAX_PROMPT),
        outputTokens: length(random, phase.answer, MAX_ANSWER),
      });
    }
    start += phase.seconds;
    before = phase.rate;
  }
  return assembleTrace("built-in: chat, long prompts, burst, quiet", requests, { seconds: start });
}

function length(random: Random, { median, sigma }: Phase["prompt"], most: number): number {
  return Math.min(most, Math.max(1, Math.round(median * Math.exp(sigma * normal(random)))));
}
