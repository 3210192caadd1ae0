import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import type { PolicySpec } from "../../scaler/policy/schema.ts";
import { createPlant } from "../plant/plant.ts";
import type { PlantRequest, RequestRecord } from "../plant/plant.types.ts";
import { mostReplicas, plantConfig, targetBatch, type BacktestSetup } from "../backtest/setup.ts";

export interface Window {
  readonly start: number;
  readonly seconds: number;
  /** Missed requests by pool size: `misses.prefill[n]` of TTFT with n prefill replicas, `misses.decode[n]` of either objective. */
  readonly misses: { readonly prefill: readonly number[]; readonly decode: readonly number[] };
}

type Role = "prefill" | "decode";

/** Long enough to hold many requests, short enough to follow a burst; at most about 60 windows bound the work. */
const SHORTEST = 20;
const MOST_WINDOWS = 60;
/** Traffic before a window that fills queues, batches and caches, and time after it for what arrived in it to end. */
const WARM_SECONDS = 30;
const AFTER_SECONDS = 60;
/** A pool offered more than this times its capacity misses about everything; not worth simulating. */
const HOPELESS = 1.3;

/** Cuts the trace and tries every useful pool size on every window by itself, the other pool being as large as it may. */
export function tryWindows(setup: BacktestSetup, progress: (share: number) => void): readonly Window[] {
  const { trace } = setup;
  const seconds = Math.max(SHORTEST, trace.seconds / MOST_WINDOWS);
  const count = Math.max(1, Math.ceil(trace.seconds / seconds));
  const windows: Window[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = index * seconds;
    const requests = trace.requests.filter(({ arrival }) => arrival >= start - WARM_SECONDS && arrival < start + seconds);
    const slice = { start, seconds, requests };
    const misses = { prefill: missesBySize(setup, "prefill", slice), decode: missesBySize(setup, "decode", slice) };
    windows.push({ start, seconds, misses });
    progress((index + 1) / count);
  }
  return windows;
}

interface Slice {
  readonly start: number;
  readonly seconds: number;
  /** Arrivals of the window, and the ones that warm the plant up for it. */
  readonly requests: readonly PlantRequest[];
}

function missesBySize(setup: BacktestSetup, role: Role, slice: Slice): number[] {
  const inside = slice.requests.filter(({ arrival }) => arrival >= slice.start);
  const misses = [inside.length];
  const busy = inside.reduce((sum, request) => sum + work(setup, role, request), 0) / slice.seconds;
  for (let size = 1; size <= mostReplicas(setup.policy.spec)[role]; size += 1) {
    if (misses[size - 1] === 0) misses.push(0);
    else if (busy > size * HOPELESS) misses.push(inside.length);
    else misses.push(Math.min(misses[size - 1] ?? 0, simulate(setup, role, size, slice)));
  }
  return misses;
}

/** Replica-seconds one request takes, decode at the batch that just meets the ITL objective. */
function work({ prior, policy }: BacktestSetup, role: Role, { inputTokens, outputTokens, hashIds }: PlantRequest): number {
  if (role === "prefill") {
    // With a prefix cache the cost is not known beforehand; half is a bound loose enough for a hopelessness test.
    return prefillSeconds(prior.prefill, inputTokens, inputTokens * inputTokens) * (hashIds === undefined ? 1 : 0.5);
  }
  const context = inputTokens + outputTokens / 2;
  const batch = targetBatch(prior, context, policy.spec);
  return (outputTokens * decodeSeconds(prior.decode, batch, batch * context)) / batch;
}

function simulate(setup: BacktestSetup, role: Role, size: number, { start, seconds, requests }: Slice): number {
  const { spec } = setup.policy;
  const most = mostReplicas(spec);
  const split = { ...most, [role]: size };
  const from = Math.max(0, start - WARM_SECONDS);
  let met = 0;
  const finished = (record: RequestRecord): void => {
    if (!record.failed && record.request.arrival >= start - from && meets(role, record, spec)) met += 1;
  };
  const config = plantConfig(setup, split);
  const plant = createPlant({ ...config, gpus: Infinity }, setup.prior, { finished });
  let inside = 0;
  for (const request of requests) {
    if (request.arrival >= start) inside += 1;
    plant.submit({ ...request, arrival: request.arrival - from });
  }
  plant.advanceTo(start - from + seconds + AFTER_SECONDS);
  return inside - met;
}

/** TTFT is prefill's to hold, and decode's as well: a request waits there for room before its first token. */
function meets(role: Role, { request, firstToken, end }: RequestRecord, { objectives }: PolicySpec): boolean {
  if (firstToken - request.arrival > (objectives.ttft?.target ?? Infinity)) return false;
  const gaps = request.outputTokens - 1;
  return role === "prefill" || gaps < 1 || (end - firstToken) / gaps <= (objectives.itl?.target ?? Infinity);
}
