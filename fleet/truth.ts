import type { RequestRecord } from "../sim/plant/plant.types.ts";
import type { DecodeRun } from "./engine-feed.ts";

/** Bound of every raw list: hours of traffic at demo rates. Past it, samples are counted as dropped. */
const MAX_SAMPLES = 5_000_000;

export interface TruthTotals {
  requests: number;
  completed: number;
  failed: number;
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  kvTransfers: number;
  kvTransferBytes: number;
  kvTransferFailures: number;
}

/** One settled request, as the objectives judge it. */
export interface Served {
  readonly ttft: number;
  readonly itlMean: number;
}

/** Everything that happened, exactly: what agents and scaler say is compared with this. */
export interface Truth {
  readonly totals: Readonly<TruthTotals>;
  /** User-view TTFT of every first token, in order of delivery. */
  readonly ttft: readonly number[];
  /** Decode runs: `gaps` samples of `stepSeconds` each. */
  readonly runs: readonly DecodeRun[];
  readonly served: readonly Served[];
  readonly timeline: readonly (readonly [number, number, number])[];
  readonly dropped: () => number;
  submitted(): void;
  prefilled(promptTokens: number, cachedTokens: number): void;
  steps(run: DecodeRun): void;
  firstToken(ttft: number): void;
  transferred(bytes: number): void;
  transferFailed(): void;
  finished(record: RequestRecord): void;
  /** Ready and starting replicas from `at` on, seconds since the workload began. */
  replicas(at: number, prefill: number, decode: number): void;
}

export function createTruth(): Truth {
  const totals: TruthTotals = {
    requests: 0,
    completed: 0,
    failed: 0,
    promptTokens: 0,
    cachedTokens: 0,
    generatedTokens: 0,
    kvTransfers: 0,
    kvTransferBytes: 0,
    kvTransferFailures: 0,
  };
  const ttft: number[] = [];
  const runs: DecodeRun[] = [];
  const served: Served[] = [];
  const timeline: [number, number, number][] = [];
  let dropped = 0;
  const keep = <T>(list: T[], item: T): void => {
    if (list.length < MAX_SAMPLES) list.push(item);
    else dropped += 1;
  };
  return {
    totals,
    ttft,
    runs,
    served,
    timeline,
    dropped: () => dropped,
    submitted: () => void (totals.requests += 1),
    prefilled(promptTokens, cachedTokens) {
      totals.promptTokens += promptTokens;
      totals.cachedTokens += cachedTokens;
    },
    steps(run) {
      totals.generatedTokens += run.steps * run.sequences;
      keep(runs, run);
    },
    firstToken: (seconds) => keep(ttft, seconds),
    transferred(bytes) {
      totals.kvTransfers += 1;
      totals.kvTransferBytes += bytes;
    },
    transferFailed: () => void (totals.kvTransferFailures += 1),
    finished(record) {
      if (record.failed) totals.failed += 1;
      else {
        totals.completed += 1;
        keep(served, { ttft: record.firstToken - record.request.arrival, itlMean: itlMean(record) });
      }
    },
    replicas(at, prefill, decode) {
      const last = timeline.at(-1);
      if (last?.[1] !== prefill || last[2] !== decode) keep(timeline, [at, prefill, decode]);
    },
  };
}

/** A request's own mean gap; 0 for a one-token answer, which cannot miss an ITL target. */
function itlMean({ request, firstToken, end }: RequestRecord): number {
  return request.outputTokens > 1 ? (end - firstToken) / (request.outputTokens - 1) : 0;
}
