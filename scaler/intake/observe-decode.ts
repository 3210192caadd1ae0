import { countOf, sumOf } from "../../core/distributions/empty.ts";
import type { Distribution } from "../../core/distribution.ts";
import { summarize } from "../../core/distributions/summary.ts";
import type { DecodeObservation, TransferObservation } from "../../core/observation.ts";
import type { PoolFacts } from "../act/actuator.ts";
import { countReplicas, type Gauges } from "./gauges.ts";
import type { PoolInterval } from "./interval.ts";
import { present, presentOrNone } from "./present.ts";

type Distributions = PoolInterval["distributions"];
type DecodeInterval = NonNullable<DecodeObservation["interval"]>;

export interface DecodeInput {
  readonly gauges: Gauges;
  readonly facts: PoolFacts | undefined;
  readonly interval: PoolInterval | undefined;
  /** Read for ITL first: it is what users see, and its buckets are finer than the engines'. */
  readonly frontend: PoolInterval | undefined;
  readonly itlTarget: number | undefined;
}

export function observeDecode({ gauges, facts, interval, frontend, itlTarget }: DecodeInput): DecodeObservation {
  const capacity = gauges.mean("kvCapacityTokens");
  const usage = gauges.mean("kvUsage");
  return present<DecodeObservation>({
    replicas: facts === undefined ? undefined : countReplicas(facts),
    queue: presentOrNone({ requests: gauges.sum("waiting") }),
    running: presentOrNone({ requests: gauges.sum("running"), kvTokens: gauges.sum("kvTokens") }),
    kvUsage: usage,
    kvCapacityTokens: capacity,
    evidence: gauges.evidence,
    limits: presentOrNone({ maxNumSeqs: facts?.limits.maxNumSeqs ?? gauges.mean("maxNumSeqs"), fixed: facts?.limits.fixed }),
    interval: interval === undefined ? undefined : figures(interval, frontend, itlTarget),
  });
}

function figures(interval: PoolInterval, frontend: PoolInterval | undefined, itlTarget: number | undefined): DecodeInterval {
  const { counters, distributions } = interval;
  const itl = tokenGaps(distributions, frontend?.distributions);
  const osl = distributions.osl === undefined ? undefined : summarize(distributions.osl);
  return present<DecodeInterval>({
    seconds: interval.seconds,
    finished: counters.requestsFinished,
    outputTokens: counters.generatedTokens,
    promptTokens: counters.localPromptTokens,
    steps: steps(interval),
    itl: itl === undefined ? undefined : summarize(itl, itlTarget),
    osl: osl === undefined ? undefined : { mean: osl.mean, p50: osl.p50, p90: osl.p90, p99: osl.p99 },
  });
}

const nonEmpty = (d: Distribution | undefined): Distribution | undefined => (d !== undefined && countOf(d) > 0 ? d : undefined);

/**
 * Gaps between tokens. Where nobody publishes them (TensorRT-LLM), the mean gap of each request: its mean is right, its tail is milder than
 * that of the gaps, and it counts requests instead of tokens.
 */
function tokenGaps(engine: Distributions, frontend: Distributions | undefined): Distribution | undefined {
  return nonEmpty(frontend?.itl) ?? engine.itl ?? nonEmpty(frontend?.tpot) ?? engine.tpot;
}

/**
 * Decode steps, busy seconds summed over replicas. Where the engine does not publish them, mean ITL × steps: every step makes
 * one token per sequence, so a token's gap is its step's time (large batches weigh more; steps of one interval are alike).
 * KV tokens per step is the mean resident amount of a replica over the interval.
 */
function steps(interval: PoolInterval): DecodeInterval["steps"] {
  const { counters, distributions, kvTokensPerReplica } = interval;
  const count = counters.steps;
  const sequences = counters.stepTokens ?? counters.generatedTokens;
  const { itl } = distributions;
  const mean = itl !== undefined && countOf(itl) > 0 ? sumOf(itl) / countOf(itl) : undefined;
  const seconds = counters.decodeBusySeconds ?? (count === undefined || mean === undefined ? undefined : mean * count);
  if (count === undefined || sequences === undefined || seconds === undefined || kvTokensPerReplica === undefined) return undefined;
  return { count, seconds, sequences, kvTokens: kvTokensPerReplica * count };
}

/** The side that moves the KV publishes it: decode pulls in vLLM, prefill pushes in SGLang. Failures may show on either. */
export function observeTransfer(
  prefill: PoolInterval | undefined,
  decode: PoolInterval | undefined,
  backlog: number | undefined,
): TransferObservation | undefined {
  const mover = [decode, prefill].find((side) => side?.counters.kvTransferBytes !== undefined || side?.counters.kvTransfers !== undefined);
  const sides = [decode, prefill].map((side) => side?.counters.kvTransferFailures).filter((x) => x !== undefined);
  if (mover === undefined) return undefined;
  return present<TransferObservation>({
    seconds: mover.seconds,
    transfers: mover.counters.kvTransfers,
    bytes: mover.counters.kvTransferBytes,
    busySeconds: mover.counters.kvTransferSeconds,
    failures: sides.length === 0 ? undefined : sides.reduce((a, b) => a + b, 0),
    backlog,
  });
}
