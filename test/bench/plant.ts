// Requests per CPU second of the plant on a trace: `npx tsx test/bench/plant.ts [TRACE] [RATE] [P] [D]`.
// Default: the public Azure conversation trace beside the checkout, else the built-in workload.
import { createPlant } from "../../sim/plant/plant.ts";
import { defaultProfile, toPrior } from "../../sim/profiles/load.ts";
import { builtinTrace } from "../../sim/traces/builtin.ts";
import { multiplyRate } from "../../sim/traces/rate.ts";
import { readTrace } from "../../sim/traces/read.ts";
import type { Trace } from "../../sim/traces/trace.types.ts";
import { sharedPath } from "../support/shared.ts";

const ROUNDS = 7;

async function load(): Promise<Trace> {
  const file = process.argv[2] ?? sharedPath("traces/azure_llm_2023_conv.csv");
  if (file === undefined) return builtinTrace(1);
  const read = await readTrace(file);
  if (!read.ok) throw new Error(read.error.join("\n"));
  return read.value;
}

function round(trace: Trace, prefill: number, decode: number): { perSecond: number; seconds: number } {
  const prior = toPrior(defaultProfile);
  const began = process.cpuUsage();
  let finished = 0;
  const plant = createPlant(
    {
      seed: 1,
      prefill: { replicas: prefill, leadTime: 60, gpusPerReplica: 1, maxBatchedTokens: 8192 },
      decode: { replicas: decode, leadTime: 60, gpusPerReplica: 1, maxNumSeqs: 256 },
      gpus: prefill + decode,
      kvBytesPerToken: prior.kvBytesPerToken,
      kvCapacityTokens: prior.kvCapacityTokens,
    },
    prior,
    { finished: () => (finished += 1) },
  );
  for (const request of trace.requests) plant.submit(request);
  plant.advanceTo(Infinity);
  const { user, system } = process.cpuUsage(began);
  const seconds = (user + system) / 1e6;
  if (finished !== trace.requests.length) throw new Error(`${finished} of ${trace.requests.length} requests finished`);
  return { perSecond: finished / seconds, seconds };
}

const trace = multiplyRate(await load(), Number(process.argv[3] ?? 1), 1);
const [prefill, decode] = [Number(process.argv[4] ?? 2), Number(process.argv[5] ?? 2)];
const rounds = Array.from({ length: ROUNDS }, () => round(trace, prefill, decode)).sort((a, b) => a.perSecond - b.perSecond);
const median = rounds[Math.floor(ROUNDS / 2)];
const requests = `${trace.name}: ${trace.requests.length} requests, ${prefill} prefill and ${decode} decode replicas`;
process.stdout.write(
  `${requests}\nmedian of ${ROUNDS}: ${median?.perSecond.toFixed(0)} requests per CPU second (${median?.seconds.toFixed(3)} s); ` +
    `slowest ${rounds[0]?.perSecond.toFixed(0)}, fastest ${rounds.at(-1)?.perSecond.toFixed(0)}\n`,
);
