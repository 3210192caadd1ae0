import { bytesPerSecond } from "../core/units.ts";
import type { MixedStep } from "../sim/aggregated/aggregated.types.ts";
import { defaultProfile } from "../sim/profiles/load.ts";
import { toPrior } from "../scaler/policy/profile.ts";
import { loadProfile } from "../sim/profiles/read.ts";
import type { Build } from "../sim/topology/candidates.ts";
import { compareTopologies } from "../sim/topology/compare.ts";
import { shapeLoad, traceLoad, type Load } from "../sim/topology/load.ts";
import { comparisonText } from "../sim/topology/text.ts";
import { windowTrace } from "../sim/traces/rate.ts";
import { readTrace } from "../sim/traces/read.ts";
import { leftOut } from "../sim/traces/trace.types.ts";
import { badInput, EXIT } from "./exit.ts";
import { print } from "./output.ts";

/** Options of `fulcrum topology`; times in seconds. */
export interface TopologyOptions {
  readonly trace?: string;
  readonly shape?: string;
  readonly profile: readonly string[];
  readonly gpus: number;
  readonly ttft: number;
  readonly itl?: number;
  readonly attain: number;
  readonly chunks: readonly string[];
  readonly mixedStep: MixedStep;
  /** Bytes per second of a prefill replica's link, instead of the profile's. */
  readonly link?: string;
  readonly from?: number;
  readonly to?: number;
  readonly seed: number;
  readonly skipBad: boolean;
  readonly json: boolean;
}

/** Compares aggregated serving with every split of the GPUs, and says which carries more. */
export async function runTopology(options: TopologyOptions): Promise<number> {
  const { gpus, ttft, itl, attain, seed, mixedStep } = options;
  const chunks = options.chunks.map(readChunk);
  const builds = await readBuilds(options);
  const load = await readLoad(options);
  const fits = (role: "prefill" | "decode") => builds[role].some((build) => build.gpus < gpus);
  if (!fits("prefill") || !fits("decode")) {
    throw badInput(
      `--gpus ${gpus}: the smallest replicas of the profiles leave no GPU for the other role; give more GPUs or smaller replicas`,
    );
  }
  const comparison = compareTopologies(
    {
      choices: { ...builds, gpus, chunks, mixedStep },
      load,
      objectives: { attain, ttft, ...(itl === undefined ? {} : { itl }) },
      seed,
    },
    createProgress(),
  );
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  await print(options.json ? JSON.stringify(comparison) : comparisonText(comparison));
  return EXIT.good;
}

function readChunk(text: string): number {
  const tokens = Number(text);
  if (Number.isInteger(tokens) && tokens >= 1) return tokens;
  throw badInput(`--chunks: "${text}" is not a number of tokens; write for example --chunks 512,2048,8192`);
}

async function readBuilds({ profile, link }: TopologyOptions): Promise<{ prefill: Build[]; decode: Build[] }> {
  const loaded = await Promise.all(profile.map(loadProfile));
  const bad = loaded.flatMap((one) => (one.ok ? [] : one.error));
  if (bad.length > 0) throw badInput(...bad);
  const profiles = loaded.flatMap((one) => (one.ok ? [one.value] : []));
  const speed = link === undefined ? undefined : Number(link) * 1e9;
  if (speed !== undefined && !(speed > 0)) throw badInput(`--link ${link ?? ""}: write gigabytes per second, for example 45`);
  const all = (profiles.length > 0 ? profiles : [defaultProfile]).map((one) => {
    const prior = toPrior(one);
    const transfer = speed === undefined ? prior.transfer : { ...prior.transfer, bytesPerSecond: bytesPerSecond(speed) };
    return { gpusPerReplica: one.gpusPerReplica, prior: { ...prior, transfer } };
  });
  return {
    prefill: all.map(({ prior, gpusPerReplica }) => ({ prior, gpus: gpusPerReplica.prefill })),
    decode: all.map(({ prior, gpusPerReplica }) => ({ prior, gpus: gpusPerReplica.decode })),
  };
}

async function readLoad({ trace, shape, from, to, seed, skipBad }: TopologyOptions): Promise<Load> {
  if ((trace === undefined) === (shape === undefined))
    throw badInput("give the traffic: either --trace FILE or --shape PROMPT/ANSWER, for example --shape 3000/150");
  if (shape !== undefined) {
    const [, prompt, answer] = /^(\d+)\/(\d+)$/.exec(shape) ?? [];
    if (!(Number(prompt) >= 1 && Number(answer) >= 1))
      throw badInput(`--shape ${shape}: write prompt and answer tokens, for example 3000/150`);
    return shapeLoad(Number(prompt), Number(answer), seed);
  }
  const read = await readTrace(trace ?? "", { skipBad });
  if (!read.ok) throw badInput(...read.error);
  for (const line of leftOut(read.value)) process.stderr.write(`${read.value.name}: ${line}\n`);
  const window = windowTrace(read.value, from, to);
  if (window.requests.length === 0)
    throw badInput(`${trace ?? ""}: no requests between --from ${from ?? 0}s and --to ${to ?? read.value.seconds}s`);
  return traceLoad(window, seed);
}

/** A running percentage on a terminal only. */
function createProgress(): (share: number) => void {
  return (share) => {
    if (process.stderr.isTTY) process.stderr.write(`\rcomparing: ${Math.floor(share * 100)} %`);
  };
}
