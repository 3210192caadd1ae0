import { bytesPerSecond, seconds } from "../../../core/units.ts";
import { createPlant, type PlantOptions } from "../../../sim/plant/plant.ts";
import type { Disturbance, Plant, PlantConfig, PlantRequest, PlantSink, RequestRecord } from "../../../sim/plant/plant.types.ts";
import type { PlantModels } from "../../../sim/plant/world.ts";
import { createRandom } from "../../../sim/random.ts";

/** The measured 8B models, rounded (reference: sim/profiles/h200-llama-3.1-8b.json). */
export const MODELS: PlantModels = {
  prefill: { floor: 0.006, c0: 0.0017, c1: 2.64e-5, c2: 4.57e-10 },
  decode: { d0: 0.0058, d1: 2.37e-5, d2: 2.84e-8 },
  transfer: { latency: seconds(0.002), bytesPerSecond: bytesPerSecond(45e9) },
};

export function config(overrides: {
  prefill?: Partial<PlantConfig["prefill"]>;
  decode?: Partial<PlantConfig["decode"]>;
  gpus?: number;
  kvCapacityTokens?: number;
  seed?: number;
}): PlantConfig {
  return {
    seed: overrides.seed ?? 1,
    prefill: { replicas: 1, leadTime: 5, gpusPerReplica: 1, maxBatchedTokens: 8192, ...overrides.prefill },
    decode: { replicas: 1, leadTime: 5, gpusPerReplica: 1, maxNumSeqs: 256, ...overrides.decode },
    gpus: overrides.gpus ?? 16,
    kvBytesPerToken: 131_072,
    kvCapacityTokens: overrides.kvCapacityTokens ?? 890_000,
  };
}

export const request = (id: number, arrival: number, inputTokens: number, outputTokens: number, hashIds?: number[]): PlantRequest =>
  hashIds === undefined ? { id, arrival, inputTokens, outputTokens } : { id, arrival, inputTokens, outputTokens, hashIds };

/** Something done to the plant from outside at a time. */
export type Intervention =
  | { readonly at: number; readonly kind: "scale"; readonly role: "prefill" | "decode"; readonly replicas: number }
  | { readonly at: number; readonly kind: "crash"; readonly pick: number }
  | { readonly at: number; readonly kind: "switch"; readonly from: "prefill" | "decode"; readonly count: number }
  | { readonly at: number; readonly kind: "disturb"; readonly changes: Partial<Disturbance> }
  | { readonly at: number; readonly kind: "limits"; readonly maxBatchedTokens: number; readonly maxNumSeqs: number };

export interface Scenario {
  readonly config: PlantConfig;
  readonly requests: readonly PlantRequest[];
  readonly interventions: readonly Intervention[];
}

/**
 * A scenario from a seed: tight KV memory (preemption), few slots, bursts, shared prefixes, and (unless calm)
 * scaling, crashes and limit changes; every second one also live role switches, and faults that pass. Times are irrational enough that no two events tie by accident.
 */
export function scenario(seed: number, calm = false): Scenario {
  const random = createRandom(seed);
  const whole = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const requests: PlantRequest[] = [];
  const count = whole(5, 60);
  let at = 0;
  for (let id = 0; id < count; id += 1) {
    at += random() < 0.3 ? random() * 2 : random() * 0.05;
    const inputTokens = whole(1, 3000);
    const hashIds =
      random() < 0.5
        ? Array.from({ length: Math.ceil(inputTokens / 512) }, (_, block) => (block < 2 ? block : id * 100 + block))
        : undefined;
    requests.push(request(id, at, inputTokens, whole(1, random() < 0.2 ? 900 : 120), hashIds));
  }
  const interventions: Intervention[] = calm ? [] : Array.from({ length: whole(1, 8) }, () => intervene(random, at));
  if (!calm && seed % 2 === 0) interventions.push(...troubles(createRandom(seed + 1), at));
  return {
    config: {
      ...config({
        seed,
        prefill: { replicas: whole(1, 3), leadTime: random() * 3, maxBatchedTokens: whole(200, 9000) },
        decode: { replicas: whole(1, 3), leadTime: random() * 3, maxNumSeqs: whole(1, 40) },
        gpus: whole(6, 9),
        kvCapacityTokens: whole(4_000, 14_000),
      }),
      // Half of the scenarios have a link thirty times slower, so that transfers queue and are hit by crashes.
      kvBytesPerToken: random() < 0.5 ? 131_072 : 4_000_000,
    },
    requests,
    interventions: interventions.toSorted((a, b) => a.at - b.at),
  };
}

/** Faults with an end: a plant that is disturbed for ever need not finish. */
function troubles(random: () => number, until: number): Intervention[] {
  const list: Intervention[] = [];
  const pass = (worse: Partial<Disturbance>, healthy: Partial<Disturbance>): void => {
    const at = random() * until;
    list.push({ at, kind: "disturb", changes: worse }, { at: at + random() * until, kind: "disturb", changes: healthy });
  };
  pass({ link: 1 + random() * 40 }, { link: 1 });
  pass({ decode: 1 + random() * 4 }, { decode: 1 });
  pass({ prefill: 1 + random() * 4, leadTime: random() * 5 }, { prefill: 1, leadTime: 1 });
  pass({ schedulable: false }, { schedulable: true });
  for (let index = 0; index < 3; index += 1) {
    list.push({ at: random() * until, kind: "switch", from: random() < 0.5 ? "prefill" : "decode", count: 1 });
  }
  // Whatever was switched away, both pools serve in the end.
  for (const role of ["prefill", "decode"] as const) list.push({ at: 2 * until + 2, kind: "scale", role, replicas: 2 });
  return list;
}

function intervene(random: () => number, until: number): Intervention {
  const at = random() * (until + 2);
  const kind = random();
  if (kind < 0.5) {
    return { at, kind: "scale", role: random() < 0.5 ? "prefill" : "decode", replicas: 1 + Math.floor(random() * 4) };
  }
  if (kind < 0.8) return { at, kind: "crash", pick: random() };
  return { at, kind: "limits", maxBatchedTokens: 200 + Math.floor(random() * 9000), maxNumSeqs: 1 + Math.floor(random() * 40) };
}

export interface Played {
  readonly plant: Plant;
  readonly records: readonly RequestRecord[];
}

/** Plays a scenario to its end; `watch` is called after every event time that was stopped at. */
export function play(scene: Scenario, sink: PlantSink = {}, options: PlantOptions = {}, watch?: (plant: Plant) => void): Played {
  const records: RequestRecord[] = [];
  const plant = createPlant(
    scene.config,
    MODELS,
    {
      ...sink,
      finished(record) {
        records.push(record);
        sink.finished?.(record);
      },
    },
    options,
  );
  for (const item of scene.requests) plant.submit(item);
  const advance = (time: number): void => {
    for (let next = plant.nextEvent(); watch !== undefined && next <= time && next < Infinity; next = plant.nextEvent()) {
      plant.advanceTo(next);
      watch(plant);
    }
    plant.advanceTo(time);
  };
  for (const step of scene.interventions) {
    advance(step.at);
    if (step.kind === "scale") plant.scale(step.role, step.replicas);
    else if (step.kind === "limits") plant.setLimits(step);
    else if (step.kind === "switch") plant.switchRole(step.from, step.count);
    else if (step.kind === "disturb") plant.disturb(step.changes);
    else {
      const replicas = plant.replicas();
      const victim = replicas[Math.floor(step.pick * replicas.length)];
      if (victim !== undefined) plant.crash(victim.id);
    }
  }
  advance(Infinity);
  return { plant, records };
}
