import type { PlantRequest } from "../plant/plant.types.ts";
import { createRandom, exponential, normal, type Random } from "../random.ts";
import { assembleTrace, type Trace } from "./trace.types.ts";

/**
 * The demo's workload: five minutes whose P/D balance moves. With the H200 8B profile (about 35k prompt tokens/s per
 * prefill replica, about 10k output tokens/s per decode replica at 15 ms ITL) the phases ask for roughly 2:3, 4:1,
 * 3:4 and 1:1 replicas.
 */
interface Phase {
  readonly name: string;
  readonly seconds: number;
  /** Requests per second once the phase's ramp is over. */
  readonly rate: number;
  /** Seconds in which rate and lengths move there from the phase before; nobody could follow a change that takes none. */
  readonly ramp: number;
  /** Lognormal prompt and answer lengths: median tokens and the log's standard deviation. */
  readonly prompt: { readonly median: number; readonly sigma: number };
  readonly answer: { readonly median: number; readonly sigma: number };
}

export const PHASES: readonly Phase[] = [
  { name: "chat", seconds: 80, rate: 40, ramp: 40, prompt: { median: 700, sigma: 0.7 }, answer: { median: 520, sigma: 0.5 } },
  { name: "long prompts", seconds: 85, rate: 14, ramp: 30, prompt: { median: 5000, sigma: 0.5 }, answer: { median: 110, sigma: 0.6 } },
  { name: "burst", seconds: 65, rate: 70, ramp: 15, prompt: { median: 700, sigma: 0.7 }, answer: { median: 400, sigma: 0.5 } },
  { name: "quiet", seconds: 70, rate: 5, ramp: 10, prompt: { median: 500, sigma: 0.7 }, answer: { median: 250, sigma: 0.6 } },
];

/** What the first phase ramps up from. */
const START: Phase = {
  name: "start",
  seconds: 0,
  rate: 6,
  ramp: 0,
  prompt: { median: 700, sigma: 0.7 },
  answer: { median: 520, sigma: 0.5 },
};
const MAX_PROMPT = 32_000;
const MAX_ANSWER = 2_000;

export function builtinTrace(seed = 1): Trace {
  const random = createRandom(seed);
  const requests: PlantRequest[] = [];
  let start = 0;
  let before = START;
  for (const phase of PHASES) {
    for (let at = start; ;) {
      const progress = Math.min(1, (at - start) / phase.ramp);
      at += exponential(random, 1 / (before.rate + (phase.rate - before.rate) * progress));
      if (at >= start + phase.seconds) break;
      // During the ramp both kinds of requests are there, in the shares of the two phases' rates.
      const mixed = before.rate * (1 - progress) + phase.rate * progress;
      const kind = random() * mixed < phase.rate * progress ? phase : before;
      requests.push({
        id: requests.length,
        arrival: at,
        inputTokens: length(random, kind.prompt, MAX_PROMPT),
        outputTokens: length(random, kind.answer, MAX_ANSWER),
      });
    }
    start += phase.seconds;
    before = phase;
  }
  return assembleTrace("built-in: chat, long prompts, burst, quiet", requests, { seconds: start });
}

function length(random: Random, { median, sigma }: Phase["prompt"], most: number): number {
  return Math.min(most, Math.max(1, Math.round(median * Math.exp(sigma * normal(random)))));
}
