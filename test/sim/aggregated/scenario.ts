import type { AggregatedConfig, AggregatedPlant, AggregatedSink } from "../../../sim/aggregated/aggregated.types.ts";
import { createAggregatedPlant } from "../../../sim/aggregated/plant.ts";
import type { PlantRequest, RequestRecord } from "../../../sim/plant/plant.types.ts";
import { createRandom } from "../../../sim/random.ts";
import { MODELS, scenario } from "../plant/scenario.ts";

export const config = (changes: Partial<AggregatedConfig> = {}): AggregatedConfig => ({
  seed: 1,
  replicas: 1,
  leadTime: 5,
  gpusPerReplica: 1,
  gpus: 16,
  maxBatchedTokens: 2048,
  maxNumSeqs: 256,
  kvCapacityTokens: 890_000,
  mixedStep: "sum",
  ...changes,
});

export interface Scene {
  readonly config: AggregatedConfig;
  readonly requests: readonly PlantRequest[];
  readonly steps: readonly { readonly at: number; readonly replicas?: number; readonly crash?: number }[];
}

/** The requests of the disaggregated scenarios (bursts, shared prefixes) on aggregated engines with little KV memory. */
export function scene(seed: number, calm = false): Scene {
  const { requests, config: other } = scenario(seed);
  const random = createRandom(seed ^ 0xa99);
  const whole = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  const until = (requests.at(-1)?.arrival ?? 0) + 2;
  const steps = Array.from({ length: calm ? 0 : whole(1, 8) }, () =>
    random() < 0.6 ? { at: random() * until, replicas: whole(1, 4) } : { at: random() * until, crash: random() },
  );
  return {
    config: config({
      seed,
      replicas: whole(1, 4),
      leadTime: random() * 3,
      gpus: whole(4, 6),
      maxBatchedTokens: whole(50, 4000),
      maxNumSeqs: whole(1, 40),
      kvCapacityTokens: other.kvCapacityTokens,
      mixedStep: random() < 0.5 ? "sum" : "shared",
    }),
    requests,
    steps: steps.toSorted((a, b) => a.at - b.at),
  };
}

export function play(
  { config: settings, requests, steps }: Scene,
  sink: AggregatedSink = {},
  options: { readonly maxRunSteps?: number } = {},
  watch?: (plant: AggregatedPlant) => void,
): { readonly plant: AggregatedPlant; readonly records: readonly RequestRecord[] } {
  const records: RequestRecord[] = [];
  const finished = (record: RequestRecord): void => {
    records.push(record);
    sink.finished?.(record);
  };
  const plant = createAggregatedPlant(settings, MODELS, { ...sink, finished }, options);
  for (const item of requests) plant.submit(item);
  const advance = (time: number): void => {
    for (let next = plant.nextEvent(); watch !== undefined && next <= time && next < Infinity; next = plant.nextEvent()) {
      plant.advanceTo(next);
      watch(plant);
    }
    plant.advanceTo(time);
  };
  for (const step of steps) {
    advance(step.at);
    if (step.replicas !== undefined) plant.scale(step.replicas);
    const victims = plant.replicas();
    const victim = step.crash === undefined ? undefined : victims[Math.floor(step.crash * victims.length)];
    if (victim !== undefined) plant.crash(victim.id);
  }
  advance(Infinity);
  return { plant, records };
}
