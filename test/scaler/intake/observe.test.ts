import { describe, expect, test } from "vitest";
import type { ClusterFacts, PoolFacts } from "../../../scaler/act/actuator.ts";
import { emptyFleet, type FleetView } from "../../../scaler/intake/fleet-view.ts";
import { fold } from "../../../scaler/intake/fold.ts";
import { closeInterval, remember, startInterval } from "../../../scaler/intake/interval.ts";
import { noMemory, observe, type ObserveInput } from "../../../scaler/intake/observe.ts";
import { belongs } from "../../../scaler/intake/select.ts";
import type { Stitched } from "../../../scaler/intake/stitch.ts";
import type { NodeReport, PoolReport } from "../../../wire/messages.ts";
import { policyOf } from "../support/policy.ts";
import { buckets, pool, replica, report } from "../support/reports.ts";

const policy = policyOf();
const NOW = 1000;

const poolFacts = (name: string, replicas: PoolFacts["replicas"], fields: Partial<PoolFacts> = {}): PoolFacts => ({
  name,
  model: "llama",
  engine: "vllm",
  desired: replicas.length,
  unschedulable: 0,
  limits: {},
  replicas,
  ...fields,
});
const ready = (...pods: string[]): PoolFacts["replicas"] => pods.map((pod) => ({ pod, phase: "ready", age: 100 }));
const facts = (prefill: PoolFacts["replicas"], decode: PoolFacts["replicas"]): ClusterFacts => ({
  prefill: poolFacts("prefill", prefill, { limits: { maxBatchedTokens: 8192 } }),
  decode: poolFacts("decode", decode, { limits: { maxNumSeqs: 256 } }),
  gpus: { total: 8, used: 4 },
});

/** Folds the pools as one node's report of `seconds`, and observes. */
function see(pools: readonly PoolReport[], input: Partial<ObserveInput> & { readonly seconds?: number } = {}) {
  const seconds = input.seconds ?? 2;
  const one = report({ interval: seconds, pools: [...pools] });
  return seeReports([one], input);
}

function seeReports(reports: readonly NodeReport[], input: Partial<ObserveInput> = {}) {
  const fleet: FleetView = reports.reduce((view, r) => fold(view, r, NOW).fleet, emptyFleet);
  const log = reports.reduce(remember, startInterval(NOW - 2));
  return observe({
    now: NOW,
    policy,
    fleet,
    interval: closeInterval(log, NOW, 2, (p) => belongs(policy, p))?.interval,
    stitched: [],
    facts: facts(ready("p-0", "p-1"), ready("d-0")),
    memory: noMemory,
    ...input,
  });
}

const vllmPrefill = (fields: Partial<PoolReport> = {}) =>
  pool({
    replicas: [replica("p-0", { running: 1, waiting: 2 }), replica("p-1", { running: 1, waiting: 0 })],
    counters: { promptTokens: 40_000, cachedTokens: 8000, requestsFinished: 20, steps: 10, stepTokens: 32_000 },
    // 20 requests of 0.2 s each in 10 passes: two share a pass, so the passes took half of the sum.
    distributions: {
      ttft: buckets([0.25, 0.5, 1], [10, 8, 2, 0]),
      prefill: { ...buckets([0.2], [20, 0]), sum: 4 },
      isl: buckets([2000], [20, 0]),
    },
    ...fields,
  });
const vllmDecode = (fields: Partial<PoolReport> = {}) =>
  pool({
    pool: "decode",
    role: "decode",
    replicas: [replica("d-0", { running: 30, waiting: 4, waitingForKv: 3, kvUsage: 0.4, kvCapacityTokens: 100_000 })],
    counters: {
      generatedTokens: 3000,
      requestsFinished: 18,
      steps: 100,
      stepTokens: 3000,
      kvTransfers: 20,
      kvTransferBytes: 5e9,
      kvTransferSeconds: 0.5,
      kvTransferFailures: 1,
    },
    distributions: {
      ttft: buckets([0.05, 0.1], [20, 0, 0]),
      itl: { ...buckets([0.02, 0.05], [2900, 100, 0]), sum: 60 },
      osl: buckets([200], [18, 0]),
    },
    ...fields,
  });

describe("an observation of vLLM pools", () => {
  const { observation, ttftSource } = see([vllmPrefill(), vllmDecode()]);

  test("prefill: arrivals, tokens of the prefill pool alone, passes with estimated busy seconds", () => {
    expect(observation.pools.prefill).toMatchObject({
      replicas: { ready: 2, starting: [], draining: 0 },
      queue: { requests: 2 },
      running: { requests: 2 },
      limits: { maxBatchedTokens: 8192 },
      evidence: { age: 0.5, coverage: 1 },
      interval: {
        seconds: 2,
        arrivals: 20,
        inputTokens: 40_000,
        cachedTokens: 8000,
        batches: { count: 10, tokens: 32_000, seconds: 2 },
        isl: { mean: 2000 },
      },
    });
    expect(observation.pools.prefill?.queue).not.toHaveProperty("tokens");
  });

  test("decode: steps with mean ITL for their time, resident KV over the steps", () => {
    expect(observation.pools.decode).toMatchObject({
      queue: { requests: 4 },
      running: { requests: 30 },
      kvUsage: 0.4,
      kvCapacityTokens: 100_000,
      limits: { maxNumSeqs: 256 },
      interval: {
        seconds: 2,
        finished: 18,
        outputTokens: 3000,
        steps: { count: 100, seconds: 0.02 * 100, sequences: 3000, kvTokens: 40_000 * 100 },
        osl: { mean: 200 },
      },
    });
    expect(observation.pools.decode?.interval?.itl).toMatchObject({ count: 3000, mean: 0.02 });
    expect(observation.pools.decode?.interval?.itl?.within).toBeCloseTo(2900 + 100 / 3, 6);
    expect(observation.pools.decode?.running).not.toHaveProperty("kvTokens");
  });

  test("transfer: from the decode side, which pulls", () => {
    expect(observation.transfer).toEqual({ seconds: 2, transfers: 20, bytes: 5e9, busySeconds: 0.5, failures: 1, backlog: 3 });
  });

  test("TTFT: the prefill wait and the decode wait follow each other", () => {
    expect(ttftSource).toBe("prefill+decode");
    const ttft = observation.pools.prefill?.interval?.ttft;
    expect(ttft?.count).toBe(20);
    // Means add exactly: (10·0.25 + 8·0.5 + 2·1)/20 + 0.05.
    expect(ttft?.mean).toBeCloseTo(0.425 + 0.05, 9);
    expect(ttft?.p50).toBeGreaterThan(0.25);
    expect(ttft?.within).toBeLessThan(18);
  });
});

describe("an observation of SGLang pools", () => {
  const prefill = vllmPrefill({
    engine: "sglang",
    counters: {
      promptTokens: 40_000,
      cachedTokens: 8000,
      requestsFinished: 20,
      steps: 16,
      prefillBusySeconds: 1.5,
      kvTransfers: 20,
      kvTransferBytes: 5e9,
      kvTransferFailures: 2,
    },
    distributions: { isl: buckets([2000], [20, 0]) },
  });
  const decode = vllmDecode({
    engine: "sglang",
    replicas: [replica("d-0", { running: 30, waiting: 4, kvTokens: 50_000 })],
    counters: { generatedTokens: 3000, requestsFinished: 18, steps: 100, decodeBusySeconds: 1.9 },
    distributions: { ttft: buckets([0.4, 0.8], [18, 2, 0]), itl: buckets([0.02], [3000, 0]) },
  });
  const { observation, ttftSource } = see([prefill, decode]);

  test("busy seconds are the engine's own; computed tokens are prompts less cached ones", () => {
    expect(observation.pools.prefill?.interval?.batches).toEqual({ count: 16, tokens: 32_000, seconds: 1.5 });
    expect(observation.pools.decode?.interval?.steps).toEqual({ count: 100, seconds: 1.9, sequences: 3000, kvTokens: 50_000 * 100 });
    expect(observation.pools.prefill?.interval?.arrivals).toBe(20);
  });

  test("TTFT is the decode engine's, transfers are the prefill side's", () => {
    expect(ttftSource).toBe("decode");
    expect(observation.pools.prefill?.interval?.ttft).toMatchObject({ count: 20, mean: (18 * 0.4 + 2 * 0.8) / 20 });
    expect(observation.transfer).toMatchObject({ transfers: 20, bytes: 5e9, failures: 2 });
    expect(observation.transfer).not.toHaveProperty("busySeconds");
    expect(observation.pools.decode).not.toHaveProperty("kvUsage");
  });
});

describe("where TTFT comes from", () => {
  const request = (ttft: number, age: number): Stitched => ({
    namespace: "demo",
    sourceNode: "a",
    targetNode: "b",
    promptTokens: undefined,
    prefillPool: "prefill",
    decodePool: "decode",
    firstTokenAt: NOW - age,
    age,
    ttft,
    queue: undefined,
    prefill: undefined,
    transfer: undefined,
    firstDecode: undefined,
  });
  const many = (count: number, age: number): Stitched[] => Array.from({ length: count }, () => request(0.3, age));

  test("stitched requests, when they cover nine tenths of the interval's first tokens", () => {
    const seen = see([vllmPrefill(), vllmDecode()], { stitched: many(18, 1) });
    expect(seen.ttftSource).toBe("stitched");
    expect(seen.observation.pools.prefill?.interval?.ttft).toMatchObject({ count: 18, within: 18 });
    expect(see([vllmPrefill(), vllmDecode()], { stitched: many(17, 1) }).ttftSource).toBe("prefill+decode");
  });

  test("not stitched requests whose first token is long past", () => {
    expect(see([vllmPrefill(), vllmDecode()], { stitched: many(20, 30) }).ttftSource).toBe("prefill+decode");
  });

  test("else a frontend's, else what is left", () => {
    const frontend = pool({ pool: "front", role: "frontend", engine: "dynamo-frontend", distributions: { ttft: buckets([0.5], [20, 0]) } });
    expect(see([vllmPrefill(), vllmDecode(), frontend]).ttftSource).toBe("frontend");
    expect(see([vllmPrefill(), vllmDecode({ distributions: {} })]).ttftSource).toBe("prefill");
    const none = see([vllmPrefill({ distributions: {} }), vllmDecode({ distributions: {} })]);
    expect(none.ttftSource).toBeUndefined();
    expect(none.observation.pools.prefill?.interval).not.toHaveProperty("ttft");
  });

  test("a frontend before stitched requests, and of several the one nearest to the user that tells", () => {
    const front = (name: string, engine: PoolReport["engine"], ttft: readonly number[] | undefined) =>
      pool({ pool: name, role: "frontend", engine, distributions: ttft === undefined ? {} : { ttft: buckets([0.5], ttft) } });
    const behind = [front("router", "dynamo-router", [5, 0]), front("epp", "llm-d-epp", [6, 0])];
    const pools = [vllmPrefill(), vllmDecode(), ...behind];
    const seen = see(pools, { stitched: many(20, 1) });
    expect(seen.ttftSource).toBe("frontend");
    expect(seen.observation.pools.prefill?.interval?.ttft?.count).toBe(6);
    const counted = (frontend: PoolReport): number | undefined =>
      see([...pools, frontend]).observation.pools.prefill?.interval?.ttft?.count;
    expect(counted(front("front", "dynamo-frontend", [7, 0]))).toBe(7);
    expect(counted(front("front", "dynamo-frontend", undefined))).toBe(6);
  });

  test("TensorRT-LLM publishes the mean gap of each request and no gaps: those serve, after a frontend's gaps", () => {
    const decode = vllmDecode({ engine: "trtllm", distributions: { tpot: buckets([0.02], [18, 0]) } });
    const itl = (...pools: readonly PoolReport[]) => see(pools).observation.pools.decode?.interval?.itl?.count;
    expect(itl(vllmPrefill({ engine: "trtllm" }), decode)).toBe(18);
    const frontend = pool({ pool: "front", role: "frontend", engine: "dynamo-frontend", distributions: { itl: buckets([0.02], [50, 0]) } });
    expect(itl(vllmPrefill({ engine: "trtllm" }), decode, frontend)).toBe(50);
  });

  test("a frontend's ITL serves where decode engines publish none", () => {
    const frontend = pool({ pool: "front", role: "frontend", engine: "dynamo-frontend", distributions: { itl: buckets([0.02], [50, 0]) } });
    const seen = see([vllmPrefill(), vllmDecode({ distributions: {} }), frontend]);
    expect(seen.observation.pools.decode?.interval?.itl?.count).toBe(50);
  });
});

describe("arrivals are offered work", () => {
  test("what piled up since the last interval has arrived too, with its tokens", () => {
    const first = see([vllmPrefill(), vllmDecode()]);
    expect(first.memory.prefill).toEqual({ inside: 4, promptTokens: 2000 });
    const busy = vllmPrefill({ replicas: [replica("p-0", { running: 2, waiting: 9 }), replica("p-1", { running: 1, waiting: 2 })] });
    const second = see([busy, vllmDecode()], { memory: first.memory });
    // 20 served and 10 more inside than before.
    expect(second.observation.pools.prefill?.interval).toMatchObject({ arrivals: 30, inputTokens: 60_000, cachedTokens: 12_000 });
  });

  test("a stalled pool still shows what arrives", () => {
    const stalled = vllmPrefill({
      replicas: [replica("p-0", { running: 1, waiting: 20 }), replica("p-1", { running: 1, waiting: 0 })],
      counters: { promptTokens: 0, requestsFinished: 0 },
      distributions: { ttft: buckets([1], [0, 0]) },
    });
    const seen = see([stalled, vllmDecode()], { memory: { prefill: { inside: 2, promptTokens: 1500 } } });
    expect(seen.observation.pools.prefill?.interval).toMatchObject({ arrivals: 20, inputTokens: 30_000 });
  });

  test("a replica that does not report makes the balance unknown, not different", () => {
    const partial = vllmPrefill({ replicas: [replica("p-0", { running: 1, waiting: 50 })] });
    const seen = see([partial, vllmDecode()], { memory: { prefill: { inside: 4, promptTokens: 2000 } } });
    expect(seen.observation.pools.prefill?.interval?.arrivals).toBe(20);
    expect(seen.memory.prefill.inside).toBeUndefined();
  });
});

describe("evidence", () => {
  test("coverage is fresh ready replicas of all ready ones; stale ones do not speak", () => {
    const stale = replica("p-1", { running: 9, waiting: 9 }, { sampleAge: 60 });
    const seen = see([vllmPrefill({ replicas: [replica("p-0", { running: 1, waiting: 2 }), stale] }), vllmDecode()]);
    expect(seen.observation.pools.prefill).toMatchObject({ evidence: { age: 0.5, coverage: 0.5 }, queue: { requests: 2 } });
  });

  test("a replica never scraped is not fresh, however young its report", () => {
    const { sampleAge: _, ...never } = replica("p-1", {});
    const seen = see([vllmPrefill({ replicas: [replica("p-0", { waiting: 0, running: 0 }), never] }), vllmDecode()]);
    expect(seen.observation.pools.prefill?.evidence?.coverage).toBe(0.5);
  });

  test("replicas the cluster no longer has do not count, draining ones still work, starting ones are listed with their age", () => {
    const three = vllmPrefill({ replicas: ["p-0", "p-1", "gone"].map((pod) => replica(pod, { waiting: 1, running: 1 })) });
    const now = facts(
      [
        { pod: "p-0", phase: "ready", age: 100 },
        { pod: "p-1", phase: "draining", age: 100 },
        { pod: "p-2", phase: "starting", age: 7 },
      ],
      ready("d-0"),
    );
    const seen = see([three, vllmDecode()], { facts: now });
    expect(seen.observation.pools.prefill).toMatchObject({
      replicas: { ready: 1, starting: [{ age: 7 }], draining: 1 },
      evidence: { coverage: 1 },
      queue: { requests: 2 },
    });
  });

  test("no ready replica means no evidence", () => {
    const seen = see([vllmPrefill(), vllmDecode()], { facts: facts([{ pod: "p-9", phase: "starting", age: 1 }], ready("d-0")) });
    expect(seen.observation.pools.prefill?.evidence?.coverage).toBe(0);
  });

  test("without the cluster's answer replica counts are absent and coverage is reckoned against what reported", () => {
    const seen = see([vllmPrefill(), vllmDecode()], { facts: undefined });
    expect(seen.observation.pools.prefill).not.toHaveProperty("replicas");
    expect(seen.observation.pools.prefill?.evidence?.coverage).toBe(1);
    expect(seen.observation).not.toHaveProperty("unschedulable");
  });

  test("without reports there are no figures: absent, not zero", () => {
    const seen = seeReports([]);
    expect(seen.observation.pools.prefill).toEqual({
      replicas: { ready: 2, starting: [], draining: 0 },
      evidence: { age: 0, coverage: 0 },
      limits: { maxBatchedTokens: 8192 },
    });
    expect(seen.observation).not.toHaveProperty("transfer");
  });

  test("refused replicas are told in GPUs", () => {
    const now = facts(ready("p-0", "p-1"), ready("d-0"));
    const refused = { ...now, decode: { ...now.decode, unschedulable: 2 } };
    const wide = policyOf().spec;
    const eight = { ...policy, spec: { ...wide, pools: { ...wide.pools, decode: { ...wide.pools.decode, gpusPerReplica: 4 } } } };
    expect(see([vllmPrefill(), vllmDecode()], { facts: refused, policy: eight }).observation.unschedulable).toBe(8);
  });

  test("an observation survives JSON unchanged: nothing in it is undefined or infinite", () => {
    for (const seen of [see([vllmPrefill(), vllmDecode()]), seeReports([]), see([vllmPrefill()], { facts: undefined })]) {
      expect(JSON.parse(JSON.stringify(seen.observation))).toStrictEqual(seen.observation);
    }
  });
});

describe("which pools belong to a policy", () => {
  test("its namespace, its model when it names one, its targets", () => {
    const named = { ...policy, spec: { ...policy.spec, model: "llama" } };
    expect(belongs(named, pool())).toBe(true);
    expect(belongs(named, pool({ model: "other" }))).toBe(false);
    expect(belongs(policy, pool({ model: "other" }))).toBe(true);
    expect(belongs(policy, pool({ namespace: "elsewhere" }))).toBe(false);
    expect(belongs(policy, pool({ pool: "prefill-of-another-policy" }))).toBe(false);
    expect(belongs(policy, pool({ role: "decode" }))).toBe(false);
    expect(belongs(policy, pool({ pool: "front", role: "frontend" }))).toBe(true);
    expect(belongs(policy, pool({ pool: "both", role: "aggregated" }))).toBe(false);
  });
});
