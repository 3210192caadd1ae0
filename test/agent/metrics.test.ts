import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { DistributionHistogram } from "../../agent/metrics-histogram.ts";
import { createSeriesKeeper } from "../../agent/metrics-series.ts";
import { createAgentMetrics } from "../../agent/metrics.ts";
import { SPAN_DROP_REASONS } from "../../agent/receive/span-intake.ts";
import { CATALOG, type MetricSpec } from "../../core/catalog.ts";
import { parsePage } from "../../core/exposition/parse.ts";
import { createSketch } from "../../core/sketch/builder.ts";
import { Registry } from "prom-client";
import type { NodeReport, PoolReport } from "../../wire/messages.ts";
import { sharedPath } from "../support/shared.ts";
import { engineTarget, startAgent, type TestAgent } from "./support/agent.ts";
import { type PageServer, servePage, vllmPage } from "./support/pages.ts";
import { until } from "./support/until.ts";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const bySelf: readonly MetricSpec[] = CATALOG.filter((m: MetricSpec) => m.by.includes("agent"));
const specOf = (sample: string): MetricSpec | undefined =>
  bySelf.find((m) => m.name === sample || (m.kind === "histogram" && sample.replace(/_(bucket|sum|count)$/, "") === m.name));

const pool = (more: Partial<PoolReport>): PoolReport => ({
  ...{
    namespace: "ns",
    pool: "p",
    role: "decode",
    model: "m",
    engine: "vllm",
    replicas: [],
    counters: {},
    distributions: {},
    spans: {},
    resets: 0,
  },
  ...more,
});
const report = (more: Partial<NodeReport>): NodeReport => ({
  ...{
    type: "report",
    v: 1,
    node: "node-a",
    boot: "b",
    seq: 0,
    at: 1,
    interval: 2,
    pools: [],
    gpus: [],
    requests: [],
    requestsDropped: 0,
    sources: [],
  },
  ...{ spans: { received: 0, dropped: 0 }, host: {}, agent: { cpuSeconds: 0, rssBytes: 0, reportsDropped: 0 } },
  ...more,
});
const value = async (page: Promise<string>, name: string, labels: Record<string, string> = {}): Promise<number | undefined> =>
  parsePage(await page).samples.find((s) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels.get(k) === v))?.value;

describe("the agent's metrics page", () => {
  it("holds every catalog name of the agent, no other, and each with its kind, help and labels", async () => {
    const engine: PageServer = await servePage(vllmPage({ tokens: 1, itl: [1, 1, 0.02] }));
    open.push(() => engine.close());
    const capture = sharedPath("samples/dcgm-exporter-kops-l4-1.txt");
    const gpus: PageServer = await servePage(capture === undefined ? "" : readFileSync(capture, "utf8"));
    open.push(() => gpus.close());
    const agent: TestAgent = await startAgent({}, { engines: [engineTarget(engine.url)], gpus: [{ url: gpus.url }] });
    open.push(() => agent.stop());
    await until("a report of a scrape", async () => (await agent.metrics()).includes("fulcrum_itl_seconds_count{"));

    const { samples, families, problemCount } = parsePage(await agent.metrics());
    expect(problemCount).toBe(0);
    expect([...families.keys()].sort()).toEqual(bySelf.map((m) => m.name).sort());
    for (const m of bySelf) expect([m.name, families.get(m.name)?.type, families.get(m.name)?.help]).toEqual([m.name, m.kind, m.help]);
    for (const s of samples) {
      const labels = [...s.labels.keys()].filter((l) => l !== "le");
      expect([s.name, labels.sort()]).toEqual([s.name, [...(specOf(s.name)?.labels ?? ["not in the catalog"])].sort()]);
    }
    expect(samples.length).toBeGreaterThan(60);
  });

  it("adds an engine's buckets at their upper bounds, with its exact sum", async () => {
    const metrics = createAgentMetrics(() => true);
    const itl = { kind: "buckets", le: [0.01, 0.025], counts: [5, 3, 2], sum: 1.5, count: 10 } as const;
    for (let i = 0; i < 2; i++)
      metrics.apply(report({ pools: [pool({ distributions: { itl: { ...itl, le: [...itl.le], counts: [...itl.counts] } } })] }), []);
    const bucket = (le: string): Promise<number | undefined> => value(metrics.page(), "fulcrum_itl_seconds_bucket", { le });
    expect([
      await bucket("0.008"),
      await bucket("0.01"),
      await bucket("0.02"),
      await bucket("0.025"),
      await bucket("2.5"),
      await bucket("+Inf"),
    ]).toEqual([0, 10, 10, 16, 16, 20]);
    expect(await value(metrics.page(), "fulcrum_itl_seconds_sum")).toBe(3);
    expect(await value(metrics.page(), "fulcrum_itl_seconds_count")).toBe(20);
  });

  it("takes latencies from spans only where the engine has none, so that no request counts twice", async () => {
    const metrics = createAgentMetrics(() => true);
    const sketch = createSketch();
    for (const v of [0.3, 0.4]) sketch.add(v);
    const data = sketch.toData();
    const spans = { ttft: { kind: "sketch" as const, sketch: { ...data, counts: [...data.counts] } } };
    metrics.apply(report({ pools: [pool({ spans })] }), []);
    expect(await value(metrics.page(), "fulcrum_ttft_seconds_count")).toBe(2);
    const distributions = { ttft: { kind: "buckets" as const, le: [1], counts: [3, 0], sum: 1, count: 3 } };
    metrics.apply(report({ pools: [pool({ spans, distributions })] }), []);
    metrics.apply(report({ pools: [pool({ spans })] }), []);
    expect(await value(metrics.page(), "fulcrum_ttft_seconds_count")).toBe(5);
  });

  it("shows a gauge only for replicas that have it: absent is not zero", async () => {
    const metrics = createAgentMetrics(() => false);
    const replica = (gauges: PoolReport["replicas"][number]["gauges"]) => ({ pod: "x", phase: "ready" as const, age: 1, gauges });
    metrics.apply(
      report({ pools: [pool({ replicas: [replica({ running: 2, kvUsage: 0.2 }), replica({ running: 3, kvUsage: 0.4 }), replica({})] })] }),
      [],
    );
    expect(await value(metrics.page(), "fulcrum_requests_running")).toBe(5);
    expect(await value(metrics.page(), "fulcrum_kv_cache_usage_ratio")).toBeCloseTo(0.3, 12);
    expect(await value(metrics.page(), "fulcrum_requests_waiting")).toBeUndefined();
    expect(await value(metrics.page(), "fulcrum_host_load1")).toBeUndefined();
    metrics.apply(report({ pools: [pool({ replicas: [replica({})] })] }), []);
    expect(await value(metrics.page(), "fulcrum_requests_running")).toBeUndefined();
    expect(await value(metrics.page(), "fulcrum_link_up")).toBe(0);
  });

  it("names this node at the end of a KV transfer that counts the bytes", async () => {
    const metrics = createAgentMetrics(() => true);
    const counters = { kvTransferBytes: 100 };
    metrics.apply(report({ pools: [pool({ counters, pool: "d" }), pool({ counters, pool: "p", role: "prefill" })] }), []);
    const ends = parsePage(await metrics.page()).samples.filter((s) => s.name === "fulcrum_kv_transfer_bandwidth_bytes_per_second");
    expect(ends.map((s) => [s.labels.get("pool"), s.labels.get("source"), s.labels.get("target"), s.value])).toEqual([
      ["d", "", "node-a", 50],
      ["p", "node-a", "", 50],
    ]);
  });

  it("counts from zero what an alert or a panel takes the increase of", async () => {
    const page = parsePage(await createAgentMetrics(() => true).page()).samples;
    expect(page.filter((s) => s.name === "fulcrum_spans_dropped_total").map((s) => [s.labels.get("reason"), s.value])).toEqual(
      SPAN_DROP_REASONS.map((reason) => [reason, 0]),
    );
  });

  it("forgets a GPU that is gone and the pod that left it, and keeps counting its events", async () => {
    const metrics = createAgentMetrics(() => true);
    const events = [
      {
        gpu: "0",
        uuid: "G",
        throttleSeconds: new Map([["power", 0.5]]),
        xid: new Map([
          [79, 1],
          [48, 0],
        ]),
        ecc: new Map([["dbe_volatile", 0]]),
      },
    ];
    metrics.apply(report({ gpus: [{ gpu: "0", uuid: "G", pod: "a", age: 0, powerWatts: 300 }] }), events);
    metrics.apply(report({ gpus: [{ gpu: "0", uuid: "G", pod: "b", age: 0, powerWatts: 310 }] }), events);
    const watts = parsePage(await metrics.page()).samples.filter((s) => s.name === "fulcrum_gpu_power_watts");
    expect(watts.map((s) => [s.labels.get("pod"), s.value])).toEqual([["b", 310]]);
    metrics.apply(report({}), []);
    expect(await value(metrics.page(), "fulcrum_gpu_power_watts")).toBeUndefined();
    expect(await value(metrics.page(), "fulcrum_gpu_xid_errors_total", { pod: "a", xid: "79" })).toBe(1);
    expect(await value(metrics.page(), "fulcrum_gpu_xid_errors_total", { pod: "b", xid: "48" })).toBe(0);
    expect(await value(metrics.page(), "fulcrum_gpu_ecc_errors_total", { pod: "b", kind: "dbe_volatile" })).toBe(0);
    expect(await value(metrics.page(), "fulcrum_gpu_clock_throttle_seconds_total", { pod: "b", reason: "power" })).toBe(0.5);
  });
});

describe("a histogram fed with distributions", () => {
  it("puts a sketch's values at most one of its buckets above where they are", async () => {
    const registry = new Registry();
    const histogram = new DistributionHistogram({ name: "h", help: "h", labelNames: ["a"], buckets: [0.1, 0.5, 1], registers: [registry] });
    const sketch = createSketch();
    for (const v of [0, 0.05, 0.3, 0.9, 7]) sketch.add(v);
    histogram.add({ a: 'x"y' }, { kind: "sketch", sketch: sketch.toData() });
    expect(parsePage(await registry.metrics()).samples.map((s) => [s.name, s.labels.get("le"), s.labels.get("a"), s.value])).toEqual([
      ["h_bucket", "0.1", 'x"y', 2],
      ["h_bucket", "0.5", 'x"y', 3],
      ["h_bucket", "1", 'x"y', 4],
      ["h_bucket", "+Inf", 'x"y', 5],
      ["h_sum", undefined, 'x"y', 8.25],
      ["h_count", undefined, 'x"y', 5],
    ]);
    histogram.forget({ a: 'x"y' });
    expect(parsePage(await registry.metrics()).samples).toEqual([]);
  });
});

describe("label sets", () => {
  it("are forgotten after enough reports without them, not before", () => {
    const keeper = createSeriesKeeper(2);
    keeper.touch({ pool: "a" });
    expect([keeper.expired(), keeper.expired(), keeper.expired(), keeper.expired()]).toEqual([[], [], [{ pool: "a" }], []]);
  });
});
