import type { MixedStep } from "../aggregated/aggregated.types.ts";
import type { Prior } from "../../scaler/decide/controller.types.ts";

/** One replica as a profile describes it: what it can do, and on how many GPUs. */
export interface Build {
  readonly prior: Prior;
  readonly gpus: number;
}

interface Pool {
  readonly build: Build;
  readonly replicas: number;
}

/** One way to serve with the GPUs there are. */
export type Candidate =
  | { readonly kind: "aggregated"; readonly pool: Pool; readonly maxBatchedTokens: number; readonly mixedStep: MixedStep }
  | { readonly kind: "disaggregated"; readonly prefill: Pool; readonly decode: Pool };

export interface Choices {
  /** Profiles of prefill and of decode replicas; an aggregated replica needs one that is both. */
  readonly prefill: readonly Build[];
  readonly decode: readonly Build[];
  readonly gpus: number;
  /** Token budgets of an aggregated step to try. */
  readonly chunks: readonly number[];
  readonly mixedStep: MixedStep;
}

/** Every candidate: each build aggregated at each chunk size, and each pair of builds at each split of the GPUs. */
export function listCandidates(choices: Choices): Candidate[] {
  const { prefill, decode, gpus, chunks, mixedStep } = choices;
  const aggregated = prefill
    .filter((build) => build.gpus <= gpus && decode.some((other) => other.prior.name === build.prior.name && other.gpus === build.gpus))
    .flatMap((build) =>
      chunks.map((maxBatchedTokens): Candidate => {
        return { kind: "aggregated", pool: { build, replicas: Math.floor(gpus / build.gpus) }, maxBatchedTokens, mixedStep };
      }),
    );
  const pairs = prefill.flatMap((p) =>
    decode.filter((d) => d.prior.kvBytesPerToken === p.prior.kvBytesPerToken).map((d) => [p, d] as const),
  );
  return [...aggregated, ...pairs.flatMap(([p, d]) => splits(p, d, gpus))];
}

/** Splits that use all GPUs; where sizes do not add up to them, those to which no replica could be added. */
function splits(prefill: Build, decode: Build, gpus: number): Candidate[] {
  const all: { left: number; candidate: Candidate }[] = [];
  for (let p = 1; p * prefill.gpus + decode.gpus <= gpus; p += 1) {
    const d = Math.floor((gpus - p * prefill.gpus) / decode.gpus);
    const left = gpus - p * prefill.gpus - d * decode.gpus;
    all.push({
      left,
      candidate: { kind: "disaggregated", prefill: { build: prefill, replicas: p }, decode: { build: decode, replicas: d } },
    });
  }
  const exact = all.filter(({ left }) => left === 0);
  return (exact.length > 0 ? exact : all.filter(({ left }) => left < prefill.gpus)).map(({ candidate }) => candidate);
}

/** `4×TP2 chunk 2048`, `3P×TP2 + 1D×TP2`: what stands in the table. */
export function nameOf(candidate: Candidate): string {
  if (candidate.kind === "aggregated")
    return `${candidate.pool.replicas}×TP${candidate.pool.build.gpus}, ${candidate.maxBatchedTokens} tokens/step`;
  const { prefill, decode } = candidate;
  return `${prefill.replicas}P×TP${prefill.build.gpus} + ${decode.replicas}D×TP${decode.build.gpus}`;
}
