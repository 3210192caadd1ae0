import type { DecodeObservation, Observation, PrefillObservation, ReplicaCounts, TransferObservation } from "../../core/observation.ts";
import type { Summary } from "../../core/summary.ts";
import type { PolicySpec } from "../../scaler/policy/schema.ts";
import type { Plant, PlantReplica, PlantRequest, PlantRole, PlantSink } from "../plant/plant.types.ts";
import { summarize, summarizeWeighted } from "./quantiles.ts";

/** What one interval brought, as agents would have counted it. */
function emptyInterval() {
  return {
    arrivals: 0,
    inputTokens: 0,
    isl: [] as number[],
    promptTokens: 0,
    cachedTokens: 0,
    batches: { count: 0, tokens: 0, seconds: 0 },
    ttft: [] as number[],
    finished: 0,
    outputTokens: 0,
    osl: [] as number[],
    steps: { count: 0, seconds: 0, sequences: 0, kvTokens: 0 },
    itl: [] as { value: number; weight: number }[],
    transfer: { transfers: 0, bytes: 0, busySeconds: 0, failures: 0 },
  };
}

export interface Limits {
  readonly maxBatchedTokens: number;
  readonly maxNumSeqs: number;
}

export interface Recorder {
  readonly sink: PlantSink;
  arrived(request: PlantRequest): void;
  /** The observation of the interval that ends at `at`; a new interval begins. `lostSince`: no agent reported since then. */
  observe(plant: Plant, at: number, limits: Limits, lostSince: number | undefined): Observation;
}

/** Collects between ticks only what agents could have reported: no arrival before it happened, no length before it was known. */
export function createRecorder(spec: PolicySpec, kvCapacityTokens: number): Recorder {
  let interval = emptyInterval();
  let since = 0;
  const sink: PlantSink = {
    prefillPass(_replica, pass) {
      interval.batches.count += 1;
      interval.batches.tokens += pass.tokens;
      interval.batches.seconds += pass.seconds;
      for (const done of pass.finished) {
        interval.promptTokens += done.request.inputTokens;
        interval.cachedTokens += done.cachedTokens;
      }
    },
    transfer(transfer) {
      interval.transfer.busySeconds += transfer.end - transfer.start;
      if (transfer.failed) interval.transfer.failures += 1;
      else {
        interval.transfer.transfers += 1;
        interval.transfer.bytes += transfer.bytes;
      }
    },
    decodeSteps(_replica, run) {
      interval.steps.count += run.steps;
      interval.steps.seconds += run.steps * run.stepSeconds;
      interval.steps.sequences += run.steps * run.sequences;
      interval.steps.kvTokens += run.steps * run.kvTokens;
      interval.outputTokens += run.steps * run.sequences;
      interval.itl.push({ value: run.stepSeconds, weight: run.steps * run.sequences });
    },
    firstToken(_replica, _request, _at, ttft) {
      interval.ttft.push(ttft);
    },
    finished(record) {
      if (record.failed) return;
      interval.finished += 1;
      interval.osl.push(record.request.outputTokens);
    },
  };
  return {
    sink,
    arrived(request) {
      interval.arrivals += 1;
      interval.inputTokens += request.inputTokens;
      interval.isl.push(request.inputTokens);
    },
    observe(plant, at, limits, lostSince) {
      const closed = interval;
      const seconds = at - since;
      interval = emptyInterval();
      since = at;
      const replicas = plant.replicas();
      const unschedulable = plant.unschedulable("prefill") + plant.unschedulable("decode");
      const seen = lostSince === undefined;
      const silent = seen ? {} : { evidence: { age: at - lostSince, coverage: 0 } };
      const prefill = seen ? prefillView(plant, replicas, closed, seconds, spec) : {};
      const decode = seen ? decodeView(plant, replicas, closed, seconds, spec, kvCapacityTokens) : {};
      return {
        type: "observation",
        at,
        pools: {
          prefill: {
            replicas: counts(replicas, "prefill", at),
            ...silent,
            limits: { maxBatchedTokens: limits.maxBatchedTokens },
            ...prefill,
          },
          decode: { replicas: counts(replicas, "decode", at), ...silent, limits: { maxNumSeqs: limits.maxNumSeqs }, ...decode },
        },
        ...(seen ? { transfer: transferView(replicas, closed, seconds) } : {}),
        ...(unschedulable > 0 ? { unschedulable } : {}),
      };
    },
  };
}

type Interval = ReturnType<typeof emptyInterval>;

function counts(replicas: readonly PlantReplica[], role: PlantRole, at: number): ReplicaCounts {
  const pool = replicas.filter((replica) => replica.role === role);
  return {
    ready: pool.filter((replica) => replica.phase === "ready").length,
    starting: pool.filter((replica) => replica.phase === "starting").map((replica) => ({ age: at - replica.createdAt })),
    draining: pool.filter((replica) => replica.phase === "draining").length,
  };
}

const total = (replicas: readonly PlantReplica[], role: PlantRole, of: (replica: PlantReplica) => number): number =>
  replicas.reduce((sum, replica) => (replica.role === role ? sum + of(replica) : sum), 0);

const shape = ({ mean, p50, p90, p99 }: Summary) => ({ mean, p50, p90, p99 });

/** `queue.tokens` is left out: no engine publishes the uncached tokens of its queue. */
function prefillView(plant: Plant, replicas: readonly PlantReplica[], i: Interval, seconds: number, spec: PolicySpec): PrefillObservation {
  const ttft = summarize(i.ttft, spec.objectives.ttft?.target);
  const isl = summarize(i.isl);
  // Hits are known when a prompt is computed; the share seen there is taken to hold for what arrived.
  const hitShare = i.promptTokens > 0 ? i.cachedTokens / i.promptTokens : 0;
  return {
    queue: { requests: total(replicas, "prefill", (replica) => replica.waiting) + plant.unrouted("prefill") },
    running: { requests: total(replicas, "prefill", (replica) => replica.running) },
    interval: {
      seconds,
      arrivals: i.arrivals,
      inputTokens: i.inputTokens,
      cachedTokens: Math.round(i.inputTokens * hitShare),
      batches: i.batches,
      ...(ttft === undefined ? {} : { ttft }),
      ...(isl === undefined ? {} : { isl: shape(isl) }),
    },
  };
}

function decodeView(
  plant: Plant,
  replicas: readonly PlantReplica[],
  i: Interval,
  seconds: number,
  spec: PolicySpec,
  kvCapacityTokens: number,
): DecodeObservation {
  const itl = summarizeWeighted(i.itl, spec.objectives.itl?.target);
  const osl = summarize(i.osl);
  const kvTokens = total(replicas, "decode", (replica) => replica.kvTokens);
  const serving = total(replicas, "decode", (replica) => (replica.phase === "starting" ? 0 : 1));
  return {
    queue: { requests: total(replicas, "decode", (replica) => replica.waiting) + plant.unrouted("decode") },
    running: { requests: total(replicas, "decode", (replica) => replica.running), kvTokens },
    ...(serving > 0 ? { kvUsage: kvTokens / (serving * kvCapacityTokens) } : {}),
    kvCapacityTokens,
    interval: {
      seconds,
      finished: i.finished,
      outputTokens: i.outputTokens,
      steps: i.steps,
      ...(itl === undefined ? {} : { itl }),
      ...(osl === undefined ? {} : { osl: shape(osl) }),
    },
  };
}

function transferView(replicas: readonly PlantReplica[], i: Interval, seconds: number): TransferObservation {
  return { seconds, ...i.transfer, backlog: total(replicas, "decode", (replica) => replica.waitingForKv) };
}
