import { describe, expect, it } from "vitest";
import { createEnginePage } from "../../../core/engines/page.ts";
import { fixture } from "../fixture.ts";

const prefill = fixture("engines/sglang-main-2026-08-prefill.txt");
const decode = fixture("engines/sglang-main-2026-08-decode.txt");

describe("an SGLang pair", () => {
  const p = createEnginePage("sglang", "prefill").read(prefill);
  const d = createEnginePage("sglang", "decode").read(decode);

  it("reads without problems", () => {
    expect(p).toMatchObject({ problemCount: 0, samples: 463 });
    expect(d).toMatchObject({ problemCount: 0, samples: 477 });
    expect(p).not.toHaveProperty("processStartTime");
  });

  it("counts KV on the sending side, in bytes and seconds", () => {
    expect(p.counters).toMatchObject({ kvTransfers: 200, kvTransferBytes: 131190.25 * 2 ** 20, kvTransferFailures: 3 });
    expect(p.counters.kvTransferSeconds).toBeCloseTo(4.589591493583311, 12);
    expect(d.counters).not.toHaveProperty("kvTransferBytes");
    expect(p.distributions.kvTransfer?.le).toEqual([0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]);
  });

  it("splits busy time and passes by phase", () => {
    expect(p.counters).toMatchObject({ steps: 200, stepTokens: 427353, prefillBusySeconds: 16.075295999999994 });
    expect(d.counters).toMatchObject({ steps: 200, stepTokens: 36739, decodeBusySeconds: 73.478 });
    expect(p.counters).not.toHaveProperty("decodeBusySeconds");
    expect(p.distributions.prefill).toMatchObject({ count: 205 });
    expect(p.distributions.prefill?.sum).toBeCloseTo(16.075296001508832 + 1.310720001347363, 9);
  });

  it("adds up the queues of each side", () => {
    // prefill: 2 queued + 1 in bootstrap, the 3 still sending are not waiting; decode: 0 queued + 1 prealloc + 2 in transfer
    expect(p.gauges).toMatchObject({ waiting: 3, running: 0, kvUsage: 0.07, kvTokens: 21504, kvCapacityTokens: 307648 });
    expect(d.gauges).toMatchObject({ waiting: 3, waitingForKv: 2, running: 9, kvUsage: 0.081, kvTokens: 24871 });
    expect(p.gauges).not.toHaveProperty("waitingForKv");
  });

  it("drops the false ITL samples of the prefill side, also when the role is configured wrong", () => {
    expect(p.distributions).not.toHaveProperty("itl");
    expect(createEnginePage("sglang", "decode").read(prefill).distributions).not.toHaveProperty("itl");
    expect(d.distributions.itl).toMatchObject({ count: 36539, sum: 655.9474471472204 });
    expect(d.distributions.ttft?.count).toBe(200);
  });

  it("counts prompts on prefill and generated tokens on decode", () => {
    expect(p.counters).toMatchObject({ promptTokens: 524761, cachedTokens: 97408, requestsFinished: 200 });
    expect(d.counters).toMatchObject({ generatedTokens: 36739, preemptions: 1, requestsFinished: 200 });
    expect(d.counters).not.toHaveProperty("promptTokens");
    expect(p.counters).not.toHaveProperty("generatedTokens");
  });
});

describe("SGLang series that repeat", () => {
  const ranks = (series: string, rows: readonly (readonly [labels: string, value: number])[]): string =>
    rows.map(([labels, value]) => `${series}{engine_type="decode",${labels}} ${value}\n`).join("");

  it("per tensor-parallel rank speak through the lowest rank, per data-parallel rank are summed", () => {
    const text = ranks("sglang:num_running_reqs", [
      ['dp_rank="0",pp_rank="0",tp_rank="1"', 5],
      ['dp_rank="0",pp_rank="0",tp_rank="0"', 4],
      ['dp_rank="1",pp_rank="0",tp_rank="3"', 9],
      ['dp_rank="1",pp_rank="0",tp_rank="2"', 7],
      ['dp_rank="1",pp_rank="1",tp_rank="2"', 100],
    ]);
    const reader = createEnginePage("sglang", "decode");
    expect(reader.read(text).gauges.running).toBe(11);
    expect(reader.read(text).gauges.running).toBe(11);
  });

  it("per priority count the total only", () => {
    const text = ranks("sglang:num_queue_reqs", [
      ['priority="",tp_rank="0"', 6],
      ['priority="1",tp_rank="0"', 4],
      ['priority="2",tp_rank="0"', 2],
    ]);
    expect(createEnginePage("sglang", "aggregated").read(text).gauges.waiting).toBe(6);
    // On decode these are only some of those who wait: unknown rather than too few.
    expect(createEnginePage("sglang", "decode").read(text).gauges).not.toHaveProperty("waiting");
  });

  it("per cache source leave out the total", () => {
    const text =
      'sglang:cached_tokens_total{cache_source="device"} 3\nsglang:cached_tokens_total{cache_source="host"} 4\nsglang:cached_tokens_total{cache_source="total"} 7\n';
    expect(createEnginePage("sglang", "prefill").read(text).counters.cachedTokens).toBe(7);
  });

  it("named before May 2026 still count as waiting", () => {
    const text =
      ranks("sglang:num_prefill_prealloc_queue_reqs", [['tp_rank="0"', 2]]) + ranks("sglang:num_queue_reqs", [['tp_rank="0"', 1]]);
    expect(createEnginePage("sglang", "prefill").read(text).gauges.waiting).toBe(3);
  });

  it("as gauges of the releases before February 2026 are not mistaken for histograms", () => {
    const text = '# TYPE sglang:kv_transfer_latency_ms gauge\nsglang:kv_transfer_latency_ms{tp_rank="0"} 21.5\n';
    expect(createEnginePage("sglang", "prefill").read(text)).toMatchObject({ counters: {}, distributions: {}, problemCount: 0 });
  });
});
