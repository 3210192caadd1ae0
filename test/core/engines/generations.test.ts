import { describe, expect, it } from "vitest";
import { createEnginePage, type EngineSample } from "../../../core/engines/page.ts";
import type { EngineKind, Role } from "../../../core/pool.ts";
import { fixture } from "../fixture.ts";

/** A page written by the engines' own client library, and everything it says. Distributions as [count, sum]. */
interface Page {
  readonly file: string;
  readonly engine: EngineKind;
  readonly role: Role;
  readonly counters: EngineSample["counters"];
  readonly gauges: EngineSample["gauges"];
  readonly distributions: Readonly<Record<string, readonly [number, number]>>;
}

const MiB = 2 ** 20;
const latencies = { ttft: [3, 3.33], e2e: [3, 7], queue: [3, 1.5] } as const;
const lengths = { isl: [3, 3000], osl: [3, 300] } as const;
const gaps = { itl: [3, 0.12] } as const;
const means = { tpot: [3, 0.12] } as const;
const tokens = { promptTokens: 3000, generatedTokens: 300, requestsFinished: 3 };
const aggregated = { ...tokens, preemptions: 1, steps: 5, stepTokens: 3006 };
// 2000 of its 3000 prompt tokens were computed where they are decoded.
const decoding = { localPromptTokens: 2000, generatedTokens: 300, requestsFinished: 3, preemptions: 1, steps: 5, stepTokens: 3006 };
const busy = { running: 5, waiting: 2, kvUsage: 0.5 };
const waitsForKv = { ...busy, waitingForKv: 1 };
const room = { kvCapacityTokens: 16000, kvTokens: 8000 };
const trtllmGauges = { ...busy, kvCapacityTokens: 32000, kvTokens: 16000, maxBatchedTokens: 8192, maxNumSeqs: 256 };
const onDecode = { engine: "vllm", role: "decode", gauges: waitsForKv } as const;

const PAGES: readonly Page[] = [
  {
    file: "vllm-v0",
    engine: "vllm",
    role: "aggregated",
    counters: aggregated,
    gauges: { ...busy, ...room, waiting: 5 },
    distributions: { ...latencies, ...gaps, ...lengths, prefill: [3, 1] },
  },
  {
    file: "vllm-v1-before-rename",
    engine: "vllm",
    role: "aggregated",
    counters: { ...aggregated, cachedTokens: 640 },
    gauges: { ...busy, ...room },
    distributions: { ...latencies, ...gaps, ...lengths, prefill: [3, 1] },
  },
  {
    file: "vllm-ray",
    engine: "vllm",
    role: "aggregated",
    counters: { ...aggregated, cachedTokens: 1000 },
    gauges: { ...waitsForKv, ...room },
    distributions: { ...latencies, ...gaps, ...lengths, prefill: [3, 1] },
  },
  {
    file: "vllm-rust-openmetrics",
    engine: "vllm",
    role: "aggregated",
    counters: { ...tokens, preemptions: 1, cachedTokens: 1000 },
    gauges: waitsForKv,
    distributions: { ...latencies, ...gaps, ...lengths, prefill: [3, 1] },
  },
  {
    // Two ranks: sums are twice one rank's, the share is not.
    file: "vllm-multiprocess-dp2",
    engine: "vllm",
    role: "decode",
    counters: {
      ...{ localPromptTokens: 4000, generatedTokens: 600, requestsFinished: 6, preemptions: 2, steps: 10, stepTokens: 6012 },
      ...{ kvTransfers: 4, kvTransferBytes: 6 * MiB, kvTransferSeconds: 0.1, kvTransferFailures: 14 },
    },
    gauges: { running: 10, waiting: 4, waitingForKv: 2, kvUsage: 0.5, kvCapacityTokens: 32000, kvTokens: 16000 },
    distributions: { ttft: [6, 6.66], itl: [6, 0.24], e2e: [6, 14], queue: [6, 3], isl: [6, 6000], osl: [6, 600], kvTransfer: [4, 0.1] },
  },
  {
    file: "vllm-lmcache",
    ...onDecode,
    counters: { ...decoding, kvTransfers: 4, kvTransferBytes: 2 * MiB, kvTransferSeconds: 0.1 },
    distributions: { ...latencies, ...gaps, ...lengths, kvTransfer: [4, 0.1] },
  },
  {
    file: "vllm-nixl-telemetry",
    ...onDecode,
    counters: { ...decoding, kvTransfers: 2, kvTransferBytes: 3 * MiB, kvTransferSeconds: 0.05, kvTransferFailures: 3 },
    distributions: { ...latencies, ...gaps, ...lengths, kvTransfer: [2, 0.05] },
  },
  {
    file: "vllm-mooncake-store",
    ...onDecode,
    counters: { ...decoding, kvTransfers: 3, kvTransferBytes: 3 * MiB, kvTransferSeconds: 0.06, kvTransferFailures: 1 },
    distributions: { ...latencies, ...gaps, ...lengths, kvTransfer: [3, 0.06] },
  },
  {
    file: "vllm-tent",
    ...onDecode,
    counters: { ...decoding, kvTransfers: 3, kvTransferBytes: 4 * MiB, kvTransferSeconds: 0.05, kvTransferFailures: 1 },
    distributions: { ...latencies, ...gaps, ...lengths },
  },
  {
    // Four schedulers, of which one per data-parallel rank speaks.
    file: "sglang-aggregated-dp2",
    engine: "sglang",
    role: "aggregated",
    counters: {
      ...{ promptTokens: 1200, cachedTokens: 230, generatedTokens: 100, requestsFinished: 3 },
      ...{ stepTokens: 1100, prefillBusySeconds: 4, decodeBusySeconds: 6 },
    },
    gauges: { running: 8, waiting: 4, kvUsage: 0.25, kvCapacityTokens: 16000, kvTokens: 4000 },
    distributions: { ttft: [2, 0.45], itl: [2, 0.04], e2e: [2, 2.5], queue: [2, 0.01] },
  },
  {
    file: "sglang-2025-prefill",
    engine: "sglang",
    role: "prefill",
    counters: { promptTokens: 1200, cachedTokens: 200, requestsFinished: 3 },
    gauges: { running: 0, waiting: 3, kvUsage: 0.25, kvTokens: 2000 },
    distributions: { e2e: [2, 2.5], prefill: [2, 0.75] },
  },
  ...["trtllm-no-prefix", "trtllm-colon"].map((file): Page => ({
    file,
    engine: "trtllm",
    role: "aggregated",
    counters: { ...tokens, cachedTokens: 640 },
    gauges: trtllmGauges,
    distributions: { ...latencies, ...means },
  })),
  {
    file: "trtllm-dynamo-prefill",
    engine: "trtllm",
    role: "prefill",
    counters: {
      ...{ promptTokens: 3000, cachedTokens: 640, requestsFinished: 3, steps: 2, stepTokens: 2360 },
      ...{ kvTransfers: 2, kvTransferBytes: 3 * MiB, kvTransferSeconds: 0.05 },
    },
    gauges: trtllmGauges,
    distributions: { ...latencies, kvTransfer: [2, 0.05] },
  },
  {
    file: "dynamo-component",
    engine: "dynamo-component",
    role: "prefill",
    counters: { requestsFinished: 3 },
    gauges: { kvUsage: 0.5 },
    distributions: { e2e: [3, 7] },
  },
  {
    file: "dynamo-router",
    engine: "dynamo-router",
    role: "frontend",
    counters: tokens,
    gauges: {},
    distributions: { ttft: [3, 3.33], ...means, ...lengths },
  },
  {
    file: "dynamo-frontend-2025",
    engine: "dynamo-frontend",
    role: "frontend",
    counters: tokens,
    gauges: { running: 5 },
    distributions: { ttft: [3, 3.33], e2e: [3, 7], ...gaps, ...lengths },
  },
  {
    // Two flows; the 9 s of the requests that were not streamed are not first tokens.
    file: "llm-d-epp",
    engine: "llm-d-epp",
    role: "frontend",
    counters: { promptTokens: 6000, cachedTokens: 600, generatedTokens: 600, requestsFinished: 6 },
    gauges: { running: 10, waiting: 4 },
    distributions: { ttft: [6, 6.66], itl: [4, 0.2], tpot: [6, 0.24], e2e: [6, 14], isl: [6, 6000], osl: [6, 600] },
  },
  {
    file: "llm-d-epp-inference-objective",
    engine: "llm-d-epp",
    role: "frontend",
    counters: { promptTokens: 6000, generatedTokens: 600, requestsFinished: 6 },
    gauges: { running: 5 },
    distributions: { ttft: [6, 6.66], tpot: [6, 0.24], e2e: [6, 14], isl: [6, 6000], osl: [6, 600] },
  },
];

describe("a page of an engine's own client library", () => {
  it.each(PAGES)("$file as $role gives exactly its signals", ({ file, engine, role, counters, gauges, distributions }) => {
    const format = file.endsWith("openmetrics") ? "openmetrics" : "prometheus";
    const sample = createEnginePage(engine, role).read(fixture(`engines/generated-${file}.txt`), format);
    expect(sample).toMatchObject({ problems: [], problemCount: 0 });
    expect(sample.counters).toEqual(Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, near(value)])));
    expect(sample.gauges).toEqual(gauges);
    const seen = Object.fromEntries(Object.entries(sample.distributions).map(([name, d]) => [name, [d.count, d.sum]]));
    expect(seen).toEqual(Object.fromEntries(Object.entries(distributions).map(([name, [count, sum]]) => [name, [count, near(sum)]])));
  });

  it("of TensorRT-LLM in 2026: KV in tokens from blocks, no gap between tokens but each request's mean", () => {
    const sample = createEnginePage("trtllm", "aggregated").read(fixture("engines/trtllm-main-2026.txt"));
    expect(sample).toMatchObject({
      problemCount: 0,
      counters: { promptTokens: 308413, cachedTokens: 53056, generatedTokens: 27719, requestsFinished: 160 },
      gauges: { running: 11, waiting: 2, kvUsage: 0.37, kvCapacityTokens: 9216 * 32, kvTokens: 3410 * 32, maxNumSeqs: 256 },
    });
    expect(sample.distributions.tpot).toMatchObject({ count: 160, sum: 2.569353844820114 });
    expect(sample.distributions).not.toHaveProperty("itl");
  });

  it("keeps the time of transfers in seconds whatever its unit", () => {
    const le = (file: string): readonly number[] | undefined =>
      createEnginePage("vllm", "decode").read(fixture(`engines/generated-${file}.txt`)).distributions.kvTransfer?.le;
    expect(le("vllm-lmcache")).toEqual([0.001, 0.01, 0.1, 1]);
    expect(le("vllm-nixl-telemetry")).toEqual([0.001, 0.01, 0.025, 0.1]);
  });

  it("takes what the engine publishes before what a library on the same page does", () => {
    const both = `${fixture("engines/generated-vllm-nixl-telemetry.txt")}vllm:nixl_bytes_transferred_sum{engine="0"} 77\n`;
    expect(createEnginePage("vllm", "decode").read(both).counters.kvTransferBytes).toBe(77);
  });

  it("of Dynamo's worker around an engine is the engine's, and fills what it lacks", () => {
    const worker = fixture("engines/generated-dynamo-component.txt");
    const read = (text: string) => createEnginePage("vllm", "decode").read(text);
    expect(read(fixture("engines/generated-vllm-multiprocess-dp2.txt") + worker).counters.requestsFinished).toBe(6);
    expect(read(`vllm:num_requests_running 2\n${worker}`)).toMatchObject({
      counters: { requestsFinished: 3 },
      gauges: { running: 2, kvUsage: 0.5 },
    });
  });

  it("in two spellings counts once", () => {
    const text = 'trtllm_num_requests_running{pid="1"} 4\ntrtllm:num_requests_running{pid="1"} 4\nnum_requests_running{pid="1"} 4\n';
    expect(createEnginePage("trtllm", "decode").read(text).gauges.running).toBe(4);
  });
});

const near = (value: number): unknown => (Number.isInteger(value) ? value : expect.closeTo(value, 9));
