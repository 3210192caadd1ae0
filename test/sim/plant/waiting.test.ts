import { describe, expect, it } from "vitest";
import { bytesPerSecond, seconds } from "../../../core/units.ts";
import { prefillSeconds } from "../../../core/latency-model.ts";
import { createPlant } from "../../../sim/plant/plant.ts";
import type { PlantModels } from "../../../sim/plant/world.ts";
import { createRandom, exponential, type Random } from "../../../sim/random.ts";
import { config, MODELS, request } from "./scenario.ts";

/**
 * Mean wait at prefill against Pollaczek–Khinchine, W = λ·E[S²]/(2(1 − ρ)), for one replica and Poisson arrivals. The error of a
 * simulated mean is known from independent batches, so the tests say both: off by less than 3 %, and 3 % is what they could see.
 */
const TOLERANCE = 0.03;
const BATCHES = 20;
/** Student's t at 97.5 %, 19 degrees of freedom. */
const T_19 = 2.093;

const BUDGET = 10_000;
/** Prompts of more than half a budget never share a pass. Times that start at half a budget then spread as widely as one likes. */
const SPREAD: PlantModels = {
  prefill: { floor: 0, c0: -5000 * 1e-5, c1: 1e-5, c2: 0 },
  decode: { d0: 0, d1: 0, d2: 0 },
  transfer: { latency: seconds(0), bytesPerSecond: bytesPerSecond(Infinity) },
};

interface Service {
  readonly name: string;
  readonly models: PlantModels;
  readonly tokens: (random: Random) => number;
}

const SERVICES: readonly Service[] = [
  { name: "M/D/1, one length at the measured 8B model", models: { ...SPREAD, prefill: MODELS.prefill }, tokens: () => 6000 },
  { name: "M/G/1, two lengths that take 1 : 10", models: SPREAD, tokens: (random) => (random() < 0.8 ? 5500 : 10_000) },
  { name: "M/G/1, times spread evenly", models: SPREAD, tokens: (random) => 5001 + Math.floor(random() * 4999) },
  {
    name: "M/M/1, exponential times",
    models: SPREAD,
    tokens: (random) => Math.min(BUDGET, 5000 + Math.max(1, Math.round(exponential(random, 400)))),
  },
];

const CASES = SERVICES.flatMap((service) => {
  const known = moments(service);
  return [0.5, 0.8].map((rho) => ({ ...service, ...known, rho }));
});

/** E[S] and E[S²] of the lengths as drawn, from a sample far larger than what is simulated. */
function moments({ models, tokens }: Service): { first: number; second: number } {
  const random = createRandom(99);
  const draws = 1_000_000;
  let [first, second] = [0, 0];
  for (let draw = 0; draw < draws; draw += 1) {
    const length = tokens(random);
    const time = prefillSeconds(models.prefill, length, length * length);
    first += time / draws;
    second += (time * time) / draws;
  }
  return { first, second };
}

/** Mean wait of one batch of arrivals, the first tenth left out: the queue starts empty. */
function simulate({ models, tokens }: Service, gap: number, arrivals: number, seed: number): number {
  const random = createRandom(seed);
  let wait = 0;
  let counted = 0;
  const plant = createPlant(config({ prefill: { maxBatchedTokens: BUDGET } }), models, {
    finished(record) {
      if (record.request.id < arrivals / 10) return;
      wait += record.prefillStart - record.request.arrival;
      counted += 1;
    },
  });
  let at = 0;
  for (let id = 0; id < arrivals; id += 1) {
    at += exponential(random, gap);
    plant.submit(request(id, at, tokens(random), 1));
    // In pieces, so that a long run needs no long list.
    if (id % 1000 === 999) plant.advanceTo(at);
  }
  plant.advanceTo(Infinity);
  return wait / counted;
}

describe("waits at prefill as queueing theory says", { timeout: 120_000 }, () => {
  it.each(CASES)("$name, utilisation $rho", (given) => {
    const { rho, first, second } = given;
    const expected = ((rho / first) * second) / (2 * (1 - rho));
    // The variance of the mean grows as 1/(1 − ρ)².
    const arrivals = Math.round(1250 / (1 - rho) ** 2 / rho);
    const means = Array.from({ length: BATCHES }, (_, batch) => simulate(given, first / rho, arrivals, 1000 + batch));
    const mean = means.reduce((sum, one) => sum + one / BATCHES, 0);
    const deviation = Math.sqrt(means.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (BATCHES - 1));
    const blur = (T_19 * deviation) / Math.sqrt(BATCHES) / expected;
    expect(blur).toBeLessThan(TOLERANCE);
    expect(Math.abs(mean / expected - 1)).toBeLessThan(TOLERANCE);
  });
});
