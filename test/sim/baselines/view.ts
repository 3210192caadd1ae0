import type { Observation } from "../../../core/observation.ts";

export interface Seen {
  readonly at: number;
  readonly prefill?: number;
  readonly decode?: number;
  readonly starting?: number;
  readonly waiting?: number;
  readonly running?: number;
  readonly kvTokens?: number;
  readonly kvUsage?: number;
  readonly rate?: number;
  readonly prompt?: number;
  readonly cached?: number;
  readonly answer?: number;
  readonly ttft?: number;
  readonly itl?: number;
}

const SECONDS = 5;

/** An observation of steady traffic; `blind` keeps the replica counts only. */
export function view(seen: Seen, blind = false): Observation {
  const {
    at,
    prefill = 2,
    decode = 2,
    starting = 0,
    waiting = 0,
    running = 0,
    kvTokens = 0,
    rate = 10,
    prompt = 1000,
    answer = 200,
  } = seen;
  const arrivals = rate * SECONDS;
  const summary = (p90: number, count: number) => ({ count, mean: p90, p50: p90, p90, p95: p90, p99: p90 });
  const age = Array.from({ length: starting }, () => ({ age: 1 }));
  const counts = {
    prefill: { replicas: { ready: prefill, starting: age, draining: 0 } },
    decode: { replicas: { ready: decode, starting: [], draining: 0 } },
  };
  if (blind) return { type: "observation", at, pools: counts };
  return {
    type: "observation",
    at,
    pools: {
      prefill: {
        ...counts.prefill,
        queue: { requests: waiting },
        running: { requests: 0 },
        limits: { maxBatchedTokens: 8192 },
        interval: {
          seconds: SECONDS,
          arrivals,
          inputTokens: arrivals * prompt,
          cachedTokens: arrivals * (seen.cached ?? 0),
          ...(seen.ttft === undefined ? {} : { ttft: summary(seen.ttft, arrivals) }),
        },
      },
      decode: {
        ...counts.decode,
        queue: { requests: 0 },
        running: { requests: running, kvTokens },
        ...(seen.kvUsage === undefined ? {} : { kvUsage: seen.kvUsage }),
        kvCapacityTokens: 890_000,
        limits: { maxNumSeqs: 256 },
        interval: {
          seconds: SECONDS,
          finished: arrivals,
          outputTokens: arrivals * answer,
          osl: { mean: answer, p50: answer, p90: answer, p99: answer },
          ...(seen.itl === undefined ? {} : { itl: summary(seen.itl, arrivals * answer) }),
        },
      },
    },
  };
}
