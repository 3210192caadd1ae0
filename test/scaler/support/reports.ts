import type { NodeReport, PoolReport, ReplicaReport, RequestHalf } from "../../../wire/messages.ts";

/** Builders of wire messages: every field can be given, the rest is empty. */
export function report(fields: Partial<NodeReport> = {}): NodeReport {
  return {
    type: "report",
    v: 1,
    node: "node-a",
    boot: "boot-1",
    seq: 0,
    at: 1000,
    interval: 1,
    pools: [],
    gpus: [],
    requests: [],
    requestsDropped: 0,
    sources: [],
    spans: { received: 0, dropped: 0 },
    host: {},
    agent: { cpuSeconds: 0, rssBytes: 0, reportsDropped: 0 },
    ...fields,
  };
}

export function pool(fields: Partial<PoolReport> = {}): PoolReport {
  return {
    namespace: "demo",
    pool: "prefill",
    role: "prefill",
    model: "llama",
    engine: "vllm",
    replicas: [],
    counters: {},
    distributions: {},
    spans: {},
    resets: 0,
    ...fields,
  };
}

export const replica = (pod: string, gauges: ReplicaReport["gauges"] = {}, fields: Partial<ReplicaReport> = {}): ReplicaReport => ({
  pod,
  phase: "ready",
  age: 100,
  sampleAge: 0.5,
  gauges,
  ...fields,
});

export const half = (fields: Partial<RequestHalf>): RequestHalf => ({
  trace: "t1",
  role: "prefill",
  pod: "p-0",
  pool: "prefill",
  namespace: "demo",
  start: 100,
  end: 101,
  ...fields,
});

type Buckets = Extract<NonNullable<PoolReport["distributions"]["ttft"]>, { kind: "buckets" }>;

/** A histogram with the given per-bucket counts; the sum puts every sample at its bucket's upper bound. */
export function buckets(le: readonly number[], counts: readonly number[]): Buckets {
  const last = le.at(-1) ?? 0;
  const sum = counts.reduce((total, count, i) => total + count * (le[i] ?? last), 0);
  return { kind: "buckets", le: [...le], counts: [...counts], sum, count: counts.reduce((a, b) => a + b, 0) };
}
