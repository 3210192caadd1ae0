import type { PlantRequest } from "../plant/plant.types.ts";
import { createRandom, exponential, normal, type Random } from "../random.ts";
import { assembleTrace, type Trace } from "./trace.types.ts";

/** Lognormal lengths: median tokens, the log's standard deviation, and where they are cut off. */
export interface Lengths {
  readonly median: number;
  readonly sigma: number;
}

/** A stretch of traffic with one rate and one kind of request. */
export interface Phase {
  readonly seconds: number;
  /** Requests per second once the phase's ramp is over. */
  readonly rate: number;
  /** Seconds in which rate and lengths move there from the phase before; 0 is a jump. */
  readonly ramp: number;
  readonly prompt: Lengths;
  readonly answer: Lengths;
  /** Prompts begin with one of so many shared prefixes of so many 512-token blocks. */
  readonly prefix?: { readonly kinds: number; readonly blocks: number } | undefined;
}

export interface Generated {
  readonly name: string;
  /** What the first phase ramps up from. */
  readonly start: Phase;
  readonly phases: readonly Phase[];
}

const BLOCK_TOKENS = 512;
const MAX_PROMPT = 32_000;
const MAX_ANSWER = 2_000;
/** Block ids of a prompt's own tail; shared prefixes have smaller ones. */
const OWN_BLOCKS = 1_000_000;

/** Poisson arrivals of piecewise linear rate; same seed, same trace. */
export function generateTrace({ name, start, phases }: Generated, seed: number): Trace {
  const random = createRandom(seed);
  const requests: PlantRequest[] = [];
  let began = 0;
  let before = start;
  let ownBlocks = OWN_BLOCKS;
  for (const phase of phases) {
    for (let at = began; ;) {
      const progress = phase.ramp > 0 ? Math.min(1, (at - began) / phase.ramp) : 1;
      at += exponential(random, 1 / (before.rate + (phase.rate - before.rate) * progress));
      if (at >= began + phase.seconds) break;
      // During the ramp both kinds of requests are there, in the shares of the two phases' rates.
      const mixed = before.rate * (1 - progress) + phase.rate * progress;
      const kind = random() * mixed < phase.rate * progress ? phase : before;
      const inputTokens = drawLength(random, kind.prompt, MAX_PROMPT);
      const outputTokens = drawLength(random, kind.answer, MAX_ANSWER);
      const request = { id: requests.length, arrival: at, inputTokens, outputTokens };
      if (kind.prefix === undefined) requests.push(request);
      else {
        const hashIds = blocks(random, kind.prefix, inputTokens, ownBlocks);
        ownBlocks += hashIds.length;
        requests.push({ ...request, hashIds });
      }
    }
    began += phase.seconds;
    before = phase;
  }
  return assembleTrace(name, requests, { seconds: began });
}

function drawLength(random: Random, { median, sigma }: Lengths, most: number): number {
  return Math.min(most, Math.max(1, Math.round(median * Math.exp(sigma * normal(random)))));
}

function blocks(random: Random, prefix: { kinds: number; blocks: number }, inputTokens: number, own: number): number[] {
  const kind = Math.floor(random() * prefix.kinds);
  const count = Math.max(1, Math.floor(inputTokens / BLOCK_TOKENS));
  return Array.from({ length: count }, (_, index) => (index < prefix.blocks ? kind * prefix.blocks + index : own + index));
}
