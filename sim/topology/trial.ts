import { createAggregatedPlant } from "../aggregated/plant.ts";
import { summarize } from "../backtest/quantiles.ts";
import { createPlant } from "../plant/plant.ts";
import type { PlantRequest, PlantSink, RequestRecord } from "../plant/plant.types.ts";
import type { Trace } from "../traces/trace.types.ts";
import type { Candidate } from "./candidates.ts";

/** What every request is asked for; seconds. The ITL of a request is its own mean. */
export interface Objectives {
  /** Always asked for: it is where every queue shows. Without it, any rate would do. */
  readonly ttft: number;
  readonly itl?: number;
  /** Share of requests that must meet both. */
  readonly attain: number;
}

export interface Trial {
  /** Share of requests that met both; partial (and below `attain`) when the trial was given up. */
  readonly attained: number;
  readonly passed: boolean;
  readonly misses: { readonly ttft: number; readonly itl: number };
  readonly ttftP95: number | undefined;
  readonly itlP95: number | undefined;
  /** Share of their time in which replicas computed prompts (aggregated: steps with a chunk in them). */
  readonly prefillBusy: number;
  /** Sequences in a decode step, on average. */
  readonly batch: number;
}

/** vLLM's defaults for an online server, as in the back-test. */
const ENGINE = { maxBatchedTokens: 8192, maxNumSeqs: 256 };
/** How often a trial looks whether it is lost already. */
const LOOK_SECONDS = 5;

interface Server {
  readonly now: number;
  submit(request: PlantRequest): void;
  advanceTo(time: number): void;
  inFlight(): number;
}

/** Serves the trace with a fixed topology, and stops as soon as too many requests missed. */
export function tryCandidate(candidate: Candidate, trace: Trace, objectives: Objectives, seed: number): Trial {
  const judge = createJudge(objectives);
  const seen: Seen = { prefill: 0, steps: 0, sequences: 0 };
  const server = createServer(candidate, seed, judge.finished, seen);
  const allowed = (1 - objectives.attain) * trace.requests.length;
  for (const request of trace.requests) server.submit(request);
  for (let at = LOOK_SECONDS; judge.missed() <= allowed; at += LOOK_SECONDS) {
    server.advanceTo(at);
    if (at >= trace.seconds && server.inFlight() === 0) break;
  }
  const passed = judge.missed() <= allowed;
  return {
    attained: 1 - judge.missed() / Math.max(1, trace.requests.length),
    passed,
    misses: judge.misses,
    ttftP95: summarize(judge.ttfts)?.p95,
    itlP95: summarize(judge.itls)?.p95,
    prefillBusy: seen.prefill / (prefillReplicas(candidate) * server.now),
    batch: seen.sequences / Math.max(1, seen.steps),
  };
}

const prefillReplicas = (candidate: Candidate): number =>
  candidate.kind === "aggregated" ? candidate.pool.replicas : candidate.prefill.replicas;

/** Sums over a trial: busy seconds of prefill, decode steps, and sequences over those steps. */
interface Seen {
  prefill: number;
  steps: number;
  sequences: number;
}

function createServer(candidate: Candidate, seed: number, finished: (record: RequestRecord) => void, seen: Seen): Server {
  const sink: PlantSink = {
    finished,
    prefillPass: (_replica, pass) => void (seen.prefill += pass.seconds),
    decodeSteps(_replica, { steps, sequences }) {
      seen.steps += steps;
      seen.sequences += steps * sequences;
    },
  };
  if (candidate.kind === "aggregated") {
    const { build, replicas } = candidate.pool;
    const { prior } = build;
    const { maxBatchedTokens, mixedStep } = candidate;
    const { kvCapacityTokens } = prior;
    const gpus = replicas * build.gpus;
    const pool = { replicas, leadTime: 0, gpusPerReplica: build.gpus, gpus };
    return createAggregatedPlant(
      { seed, ...pool, maxBatchedTokens, maxNumSeqs: ENGINE.maxNumSeqs, kvCapacityTokens, mixedStep },
      prior,
      sink,
    );
  }
  const { prefill, decode } = candidate;
  const pool = ({ build, replicas }: typeof prefill) => ({ replicas, leadTime: 0, gpusPerReplica: build.gpus });
  return createPlant(
    {
      seed,
      prefill: { ...pool(prefill), maxBatchedTokens: ENGINE.maxBatchedTokens },
      decode: { ...pool(decode), maxNumSeqs: ENGINE.maxNumSeqs },
      gpus: prefill.replicas * prefill.build.gpus + decode.replicas * decode.build.gpus,
      kvBytesPerToken: prefill.build.prior.kvBytesPerToken,
      // The plant knows one capacity: the smaller one, where the roles' differ.
      kvCapacityTokens: Math.min(prefill.build.prior.kvCapacityTokens, decode.build.prior.kvCapacityTokens),
    },
    { prefill: prefill.build.prior.prefill, decode: decode.build.prior.decode, transfer: prefill.build.prior.transfer },
    sink,
  );
}

function createJudge({ ttft, itl = Infinity }: Objectives) {
  const ttfts: number[] = [];
  const itls: number[] = [];
  const misses = { ttft: 0, itl: 0 };
  let missed = 0;
  return {
    ttfts,
    itls,
    misses,
    missed: () => missed,
    finished(record: RequestRecord): void {
      const first = record.failed ? Infinity : record.firstToken - record.request.arrival;
      const gaps = record.request.outputTokens - 1;
      const gap = gaps > 0 && !record.failed ? (record.end - record.firstToken) / gaps : 0;
      ttfts.push(first);
      if (gaps > 0) itls.push(gap);
      if (first > ttft) misses.ttft += 1;
      if (gap > itl) misses.itl += 1;
      // A request that the engine refuses can never be served: it is missed whatever the objectives are.
      if (first > ttft || gap > itl || record.failed) missed += 1;
    },
  };
}
