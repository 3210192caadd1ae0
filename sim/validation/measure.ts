import { bytesPerSecond, seconds } from "../../core/units.ts";
import { createPlant } from "../plant/plant.ts";
import type { PlantConfig } from "../plant/plant.types.ts";
import type { PlantModels } from "../plant/world.ts";

/** What takes no time, so that the other stage is seen alone. */
const FREE_PREFILL = { floor: 0, c0: 0, c1: 0, c2: 0 };
const FREE_LINK = { latency: seconds(0), bytesPerSecond: bytesPerSecond(Infinity) };

/** Seconds of one prefill pass over `batch` prompts of `tokens` tokens, as the plant does it: queue, budget, batching and all. */
export function prefillPassSeconds(models: PlantModels, tokens: number, batch: number): number | undefined {
  let found: number | undefined;
  const plant = createPlant(one({ maxBatchedTokens: batch * tokens, maxNumSeqs: batch + 1, tokens: (tokens + 2) * (batch + 1) }), models, {
    prefillPass(_replica, pass) {
      if (pass.finished.length === batch && pass.tokens === batch * tokens) found = pass.seconds;
    },
  });
  // While one token is computed the prompts gather in the queue; the next pass takes them all.
  plant.submit({ id: 0, arrival: 0, inputTokens: 1, outputTokens: 1 });
  for (let id = 1; id <= batch; id += 1) plant.submit({ id, arrival: 0, inputTokens: tokens, outputTokens: 1 });
  plant.advanceTo(Infinity);
  return found;
}

/** Seconds of one decode step of `batch` sequences that hold `context` tokens each. */
export function decodeStepSeconds(models: PlantModels, batch: number, context: number): number | undefined {
  let found: number | undefined;
  const plant = createPlant(
    one({ maxBatchedTokens: batch * context, maxNumSeqs: batch, tokens: (context + 8) * (batch + 1) * 1.02 }),
    { prefill: FREE_PREFILL, decode: models.decode, transfer: FREE_LINK },
    {
      decodeSteps(_replica, run) {
        if (run.sequences === batch) found ??= run.stepSeconds;
      },
    },
  );
  // The first one's first step is alone; the others join at its end, so the full batch is one token over its context.
  for (let id = 0; id < batch; id += 1) plant.submit({ id, arrival: 0, inputTokens: context, outputTokens: 4 });
  plant.advanceTo(Infinity);
  return found;
}

function one(size: { maxBatchedTokens: number; maxNumSeqs: number; tokens: number }): PlantConfig {
  return {
    seed: 1,
    prefill: { replicas: 1, leadTime: 0, gpusPerReplica: 1, maxBatchedTokens: size.maxBatchedTokens },
    decode: { replicas: 1, leadTime: 0, gpusPerReplica: 1, maxNumSeqs: size.maxNumSeqs },
    gpus: 2,
    kvBytesPerToken: 1,
    kvCapacityTokens: Math.ceil(size.tokens),
  };
}
