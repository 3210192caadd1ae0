import { describe, expect, it } from "vitest";
import { toMessage } from "../../../agent/summarize/fit.ts";
import { poolReports } from "../../../agent/summarize/pools.ts";
import { newReplica, observeSample, type ReplicaState } from "../../../agent/summarize/replica.ts";
import { sourceReport } from "../../../agent/summarize/sources.ts";
import { createSpanSummary } from "../../../agent/summarize/spans.ts";
import { down, unknown, up } from "../../../agent/scrape/health.ts";
import { LIMITS, type NodeReport, type RequestHalf } from "../../../wire/messages.ts";
import { engineTarget } from "../support/agent.ts";

const half: RequestHalf = { trace: "a".repeat(32), role: "decode", pod: "d", pool: "decode", namespace: "ns", start: 10, end: 12 };
const replica = (pod: string, pool: string, tokens: number): ReplicaState =>
  observeSample(
    newReplica(engineTarget("http://x/", { pod, pool, startedAt: 5 }), 1),
    { counters: { generatedTokens: tokens }, distributions: {}, gauges: {}, problems: [], problemCount: 0, samples: 1 },
    6,
  );

describe("pool reports", () => {
  it("are one per pool, in order, with departed replicas in the sums only", () => {
    const pools = poolReports(
      [replica("b", "two", 5), replica("a", "one", 1)],
      [replica("c", "two", 7), replica("d", "gone", 9)],
      new Map(),
      10,
    );
    expect(pools.map((p) => [p.pool, p.replicas.map((r) => r.pod), p.counters.generatedTokens])).toEqual([
      ["gone", [], 9],
      ["one", ["a"], 1],
      ["two", ["b"], 12],
    ]);
  });
});

describe("spans summarised", () => {
  it("weigh a request's mean inter-token latency by its tokens", () => {
    const summary = createSpanSummary();
    summary.add({ ...half, decode: 1, outputTokens: 11 });
    summary.add({ ...half, decode: 2, outputTokens: 101 });
    summary.add({ ...half, decode: 5, outputTokens: 1 });
    const itl = summary.drain().get("ns/decode")?.itl;
    expect(itl?.kind === "sketch" && [itl.sketch.count, itl.sketch.sum]).toEqual([110, expect.closeTo(3, 9)]);
    expect(summary.drain().size).toBe(0);
  });

  it("take no output length and no inter-token latency from a prefill engine's single token", () => {
    const summary = createSpanSummary();
    summary.add({ ...half, role: "prefill", decode: 1, outputTokens: 11, promptTokens: 5, kvTransfer: 0.1 });
    expect(Object.keys(summary.drain().get("ns/decode") ?? {}).sort()).toEqual(["e2e", "isl", "kvTransfer"]);
  });
});

describe("a report as a message", () => {
  const report: NodeReport = {
    ...{
      type: "report",
      v: 1,
      node: "n",
      boot: "b",
      seq: 3,
      at: 1,
      interval: 1,
      pools: [],
      gpus: [],
      requests: [],
      requestsDropped: 1,
      sources: [],
    },
    ...{ spans: { received: 0, dropped: 0 }, host: {}, agent: { cpuSeconds: 0, rssBytes: 0, reportsDropped: 0 } },
  };

  it("gives up request halves, counted, to fit the wire", () => {
    const long = { ...half, pod: "p".repeat(253), pool: "q".repeat(253), namespace: "r".repeat(253) };
    const requests = Array.from({ length: LIMITS.requestsPerReport }, () => long);
    const sources = Array.from({ length: 1024 }, () => ({
      source: "engine" as const,
      target: "€".repeat(500),
      up: false,
      error: "€".repeat(500),
    }));
    const message = toMessage({ ...report, requests, sources });
    if (!message.ok) throw new Error(message.error);
    const kept = message.value.report.requests.length;
    expect(kept).toBeLessThan(requests.length);
    expect(message.value.report.requestsDropped).toBe(1 + requests.length - kept);
    expect(new TextEncoder().encode(message.value.text).byteLength).toBeLessThanOrEqual(LIMITS.message);
  });

  it("that does not fit even so is an error", () => {
    const sources = Array.from({ length: 5000 }, () => ({ source: "engine" as const, target: "t", up: false, error: "€".repeat(500) }));
    expect(toMessage({ ...report, sources })).toEqual({ ok: false, error: expect.stringMatching(/do not fit one message/) as string });
  });
});

describe("a source as reported", () => {
  it("is up only when the last read was good, and remembers the last good one", () => {
    const good = up(10, 0.1);
    expect(sourceReport("engine", "t", unknown, 12)).toEqual({ source: "engine", target: "t", up: false, error: "not read yet" });
    expect(sourceReport("engine", "t", good, 12)).toEqual({ source: "engine", target: "t", up: true, age: 2 });
    const bad = down(down(good, 11, 0.1, "first"), 12, 0.1, "e".repeat(900));
    expect(sourceReport("engine", "t", bad, 15)).toEqual({ source: "engine", target: "t", up: false, age: 5, error: "e".repeat(512) });
  });
});
