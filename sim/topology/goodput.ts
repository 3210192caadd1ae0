import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import type { Prior } from "../../scaler/decide/controller.types.ts";
import type { Candidate } from "./candidates.ts";
import type { Load } from "./load.ts";
import { tryCandidate, type Objectives, type Trial } from "./trial.ts";

/** What a candidate can carry: the highest rate at which the objectives still hold (DistServe's goodput). */
export interface Goodput {
  readonly requestsPerSecond: number;
  /** At that rate; at the lowest rate tried where none passed. */
  readonly trial: Trial;
  /** Which objective most requests missed just above it. */
  readonly limitedBy: "ttft" | "itl" | "refused";
  readonly trials: number;
}

/** Rates are found to within this ratio. */
const PRECISION = 1.02;
/** Below this part of the guess a candidate counts as unable. */
const HOPELESS = 1 / 200;

/** Brackets the highest passing rate around a guess, then halves the bracket (more traffic never helps). */
export function findGoodput(candidate: Candidate, load: Load, objectives: Objectives, seed: number): Goodput {
  let trials = 0;
  const attempt = (rate: number): Trial => {
    trials += 1;
    return tryCandidate(candidate, load.at(rate), objectives, seed);
  };
  const guess = fluidRate(candidate, load);
  let [good, bad] = [0, guess];
  let passed: Trial | undefined;
  let failed = attempt(bad);
  for (let trial = failed; trial.passed; trial = failed) {
    [good, passed] = [bad, trial];
    bad *= 1.3;
    failed = attempt(bad);
  }
  while (bad / Math.max(good, 1e-12) > PRECISION && bad > guess * HOPELESS) {
    const rate = passed === undefined ? bad / 2 : Math.sqrt(bad * good);
    const trial = attempt(rate);
    if (trial.passed) [good, passed] = [rate, trial];
    else [bad, failed] = [rate, trial];
  }
  return { requestsPerSecond: good, trial: passed ?? failed, limitedBy: limit(failed), trials };
}

function limit({ misses }: Trial): Goodput["limitedBy"] {
  if (misses.ttft === 0 && misses.itl === 0) return "refused";
  return misses.ttft >= misses.itl ? "ttft" : "itl";
}

/** Requests per second that the replicas' time allows with a middling batch: where the search begins, no more. */
function fluidRate(candidate: Candidate, { inputTokens, outputTokens }: Load): number {
  const BATCH = 32;
  const prompt = (prior: Prior): number => prefillSeconds(prior.prefill, inputTokens, inputTokens * inputTokens);
  const context = inputTokens + outputTokens / 2;
  const answer = (prior: Prior): number => (outputTokens * decodeSeconds(prior.decode, BATCH, BATCH * context)) / BATCH;
  if (candidate.kind === "aggregated") {
    const { build, replicas } = candidate.pool;
    return replicas / (prompt(build.prior) + answer(build.prior));
  }
  const { prefill, decode } = candidate;
  return Math.min(prefill.replicas / prompt(prefill.build.prior), decode.replicas / answer(decode.build.prior));
}
