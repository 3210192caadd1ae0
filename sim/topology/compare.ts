import { listCandidates, nameOf, type Candidate, type Choices } from "./candidates.ts";
import { findGoodput, type Goodput } from "./goodput.ts";
import type { Load } from "./load.ts";
import type { Objectives } from "./trial.ts";

/** One row of the answer. */
export interface Measured {
  readonly kind: Candidate["kind"];
  readonly name: string;
  readonly profiles: readonly string[];
  readonly replicas: { readonly aggregated: number } | { readonly prefill: number; readonly decode: number };
  readonly maxBatchedTokens: number | undefined;
  readonly requestsPerSecond: number;
  readonly requestsPerSecondPerGpu: number;
  readonly limitedBy: Goodput["limitedBy"];
  /** At that rate: share of requests within both objectives, and what users got, seconds. */
  readonly attained: number;
  readonly ttftP95: number | undefined;
  readonly itlP95: number | undefined;
  readonly prefillBusy: number;
  readonly batch: number;
}

export interface Comparison {
  readonly gpus: number;
  readonly load: string;
  readonly objectives: Objectives;
  readonly mixedStep: Choices["mixedStep"];
  readonly seed: number;
  readonly candidates: readonly Measured[];
  readonly best: { readonly aggregated: Measured | undefined; readonly disaggregated: Measured | undefined };
  /** Best split ÷ best aggregated, per GPU; undefined unless both serve at all. */
  readonly gain: number | undefined;
  readonly verdict: string;
}

export interface Question {
  readonly choices: Choices;
  readonly load: Load;
  readonly objectives: Objectives;
  readonly seed: number;
}

/** Measures every candidate's goodput on the same GPUs; all GPUs are paid for, those that no replica fits on too. */
export function compareTopologies(question: Question, progress?: (share: number) => void): Comparison {
  const { choices, load, objectives, seed } = question;
  const listed = listCandidates(choices);
  const candidates = listed.map((candidate, index) => {
    progress?.(index / listed.length);
    return measured(candidate, findGoodput(candidate, load, objectives, seed), choices.gpus);
  });
  const aggregated = bestOf(candidates, "aggregated");
  const disaggregated = bestOf(candidates, "disaggregated");
  const gain =
    aggregated === undefined || disaggregated === undefined || aggregated.requestsPerSecond === 0
      ? undefined
      : disaggregated.requestsPerSecond / aggregated.requestsPerSecond;
  return {
    gpus: choices.gpus,
    load: load.name,
    objectives,
    mixedStep: choices.mixedStep,
    seed,
    candidates,
    best: { aggregated, disaggregated },
    gain,
    verdict: judge(aggregated, disaggregated, gain),
  };
}

function measured(candidate: Candidate, goodput: Goodput, gpus: number): Measured {
  const { requestsPerSecond, limitedBy, trial } = goodput;
  const aggregated = candidate.kind === "aggregated";
  return {
    kind: candidate.kind,
    name: nameOf(candidate),
    profiles: aggregated ? [candidate.pool.build.prior.name] : [candidate.prefill.build.prior.name, candidate.decode.build.prior.name],
    replicas: aggregated
      ? { aggregated: candidate.pool.replicas }
      : { prefill: candidate.prefill.replicas, decode: candidate.decode.replicas },
    maxBatchedTokens: aggregated ? candidate.maxBatchedTokens : undefined,
    requestsPerSecond,
    requestsPerSecondPerGpu: requestsPerSecond / gpus,
    limitedBy,
    attained: trial.attained,
    ttftP95: trial.ttftP95,
    itlP95: trial.itlP95,
    prefillBusy: trial.prefillBusy,
    batch: trial.batch,
  };
}

function bestOf(candidates: readonly Measured[], kind: Candidate["kind"]): Measured | undefined {
  const able = candidates.filter((one) => one.kind === kind && one.requestsPerSecond > 0);
  return able.length === 0 ? undefined : able.reduce((a, b) => (b.requestsPerSecond > a.requestsPerSecond ? b : a));
}

/** Latency models are off by 2–5 % on their own tables: a smaller difference is none. */
const EVEN = 0.05;
function judge(aggregated: Measured | undefined, split: Measured | undefined, gain: number | undefined): string {
  if (split === undefined && aggregated === undefined)
    return "Neither meets the objectives at any rate: they are out of reach of these profiles.";
  if (split === undefined) return `Disaggregation does not pay: no split meets the objectives at any rate; ${aggregated?.name ?? ""} does.`;
  if (aggregated === undefined || gain === undefined) return `Only disaggregation meets the objectives: ${split.name}.`;
  const times = `${split.name} carries ${gain.toFixed(2)} times the traffic of ${aggregated.name} on the same GPUs`;
  if (gain > 1 + EVEN) return `Disaggregation pays: ${times}.`;
  const why = `The split is limited by ${LIMITS[split.limitedBy]}; its prefill replicas compute ${percent(split.prefillBusy)} of the time, ITL p95 is ${milliseconds(split.itlP95)}.`;
  return gain < 1 - EVEN ? `Disaggregation does not pay: ${times}. ${why}` : `Neither is better beyond the model's error: ${times}. ${why}`;
}

const LIMITS = { ttft: "TTFT", itl: "ITL", refused: "KV memory" } as const;
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
const milliseconds = (seconds: number | undefined): string => (seconds === undefined ? "unknown" : `${(seconds * 1000).toFixed(1)} ms`);
