import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { runAgent } from "../../agent/main.ts";
import { agentSettingsSchema } from "../../agent/config.ts";
import { createLog } from "../../agent/log.ts";
import { sharedPath } from "../support/shared.ts";
import { engineTarget, poolOf, startAgent, total, type TestAgent } from "./support/agent.ts";
import { gpuPage, type PageServer, servePage, vllmPage } from "./support/pages.ts";
import { reportWhere, startScaler, type TestScaler } from "./support/scaler.ts";
import { until } from "./support/until.ts";

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.stop();
});

const page = async (text: string): Promise<PageServer> => {
  const server = await servePage(text);
  open.push({ stop: () => server.close() });
  return server;
};
const scaler = async (): Promise<TestScaler> => {
  const s = await startScaler();
  open.push(s);
  return s;
};
const agent = async (...args: Parameters<typeof startAgent>): Promise<TestAgent> => {
  const a = await startAgent(...args);
  open.push(a);
  return a;
};

describe("an agent", () => {
  it("counts an old replica from its first look, and then exactly", async () => {
    const engine = await page(vllmPage({ tokens: 5000, itl: [40, 10, 1], running: 3 }));
    const s = await scaler();
    await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)] });
    await reportWhere(s, "a first sample", (r) => poolOf(r, "decode")?.counters.generatedTokens === 0);
    engine.show(vllmPage({ tokens: 5070, itl: [70, 40, 2.25], running: 4 }));
    await until("70 tokens", () => total(s.folded, "decode", "generatedTokens") === 70);

    const withTokens = s.folded.map((r) => poolOf(r, "decode")).filter((p) => (p?.counters.generatedTokens ?? 0) > 0);
    expect(withTokens).toHaveLength(1);
    expect(withTokens[0]?.distributions.itl).toEqual({ kind: "buckets", le: [0.01, 0.025], counts: [30, 30, 0], sum: 1.25, count: 60 });
    expect(withTokens[0]?.replicas[0]).toMatchObject({ pod: "decode-0", phase: "ready", gauges: { running: 4 } });
    expect(s.folded.every((r) => (poolOf(r, "decode")?.resets ?? 0) === 0)).toBe(true);
  });

  it("counts a replica born under its eyes from zero", async () => {
    const engine = await page(vllmPage({ tokens: 12 }));
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url });
    await a.setTargets({ engines: [engineTarget(engine.url, { startedAt: Date.now() / 1000 + 1 })] });
    await until("12 tokens", () => total(s.folded, "decode", "generatedTokens") === 12);
  });

  it("counts from zero after an engine restarted, and says so once", async () => {
    const engine = await page(vllmPage({ tokens: 1000, itl: [10, 0, 0.1] }));
    const s = await scaler();
    await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)] });
    await reportWhere(s, "a first sample", (r) => poolOf(r, "decode")?.counters.generatedTokens === 0);
    engine.show(vllmPage({ tokens: 30, itl: [3, 0, 0.02] }));
    const reset = await reportWhere(s, "a reset", (r) => (poolOf(r, "decode")?.resets ?? 0) > 0);
    expect(poolOf(reset, "decode")).toMatchObject({ resets: 1, counters: { generatedTokens: 30 }, distributions: { itl: { count: 3 } } });
    expect(total(s.folded, "decode", "generatedTokens")).toBe(30);
  });

  it("reports an engine that stops answering as unreachable, without gauges, and takes it back", async () => {
    const engine = await page(vllmPage({ tokens: 100, running: 7 }));
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)] });
    await reportWhere(s, "gauges", (r) => poolOf(r, "decode")?.replicas[0]?.gauges.running === 7);
    engine.show((_, response) => response.writeHead(503).end());
    const lost = await reportWhere(s, "unreachable", (r) => poolOf(r, "decode")?.replicas[0]?.phase === "unreachable");
    const replica = poolOf(lost, "decode")?.replicas[0];
    expect(replica?.gauges).toEqual({});
    expect(replica?.sampleAge).toBeGreaterThan(0);
    expect(lost.sources.find((x) => x.source === "engine")).toMatchObject({ target: "ns/decode-0", up: false, error: "answered HTTP 503" });
    expect(await a.metrics()).toContain('fulcrum_source_up{source="engine",target="ns/decode-0"} 0');
    engine.show(vllmPage({ tokens: 150, running: 8 }));
    await until("the tokens of the silence", () => total(s.folded, "decode", "generatedTokens") === 50);
    expect(s.folded.every((r) => (poolOf(r, "decode")?.resets ?? 0) === 0)).toBe(true);
  });

  it("says which signals a page lacks, and which it gives under old names", async () => {
    const engine = await page(vllmPage({ tokens: 1 }).replaceAll("inter_token_latency_seconds", "time_per_output_token_seconds"));
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)] });
    const read = await reportWhere(s, "a sample", (r) => r.sources.some((x) => x.source === "engine" && x.up));
    const source = read.sources.find((x) => x.source === "engine");
    expect(source).toMatchObject({ up: true, missing: expect.any(Number) as number });
    expect(source?.error).toMatch(/^the page lacks requestsFinished \(vllm:request_success_total\), .* and \d+ more; read by old names: /);
    expect(source?.error).toContain("vllm:time_per_output_token_seconds (until 0.15; now vllm:inter_token_latency_seconds)");
    expect(await a.metrics()).toContain(`fulcrum_source_missing_signals{source="engine",target="ns/decode-0"} ${source?.missing}`);
  });

  it("merges replicas into their pool and keeps a replica's last deltas when it leaves", async () => {
    const [one, two] = [await page(vllmPage({ tokens: 10, running: 1 })), await page(vllmPage({ tokens: 20, running: 2 }))];
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url });
    const born = { startedAt: Date.now() / 1000 + 1 };
    const targets = [engineTarget(one.url, born), engineTarget(two.url, { ...born, pod: "decode-1" })];
    await a.setTargets({ engines: targets });
    await until("30 tokens", () => total(s.folded, "decode", "generatedTokens") === 30);
    two.show(vllmPage({ tokens: 25 }));
    await a.setTargets({ engines: targets.slice(0, 1) });
    await until("the last 5 tokens", () => total(s.folded, "decode", "generatedTokens") === 35);
    const last = await reportWhere(s, "one replica", (r) => r.seq > 3 && poolOf(r, "decode")?.replicas.length === 1);
    expect(poolOf(last, "decode")?.replicas[0]?.pod).toBe("decode-0");
    await a.setTargets({ engines: targets });
    await reportWhere(
      s,
      "both again",
      (r) => r.seq > last.seq && poolOf(r, "decode")?.replicas.length === 2 && r.sources.every((x) => x.up),
    );
    expect(total(s.folded, "decode", "generatedTokens")).toBe(35);
  });

  it("keeps the last good targets when the file goes bad, and says why", async () => {
    const engine = await page(vllmPage({ tokens: 1 }));
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)] });
    await reportWhere(s, "a sample", (r) => poolOf(r, "decode") !== undefined);
    await a.writeTargets(`{"node":"node-a","engines":[{"url":"ftp://x"}],"gpus":[]}`);
    const bad = await reportWhere(s, "a bad file", (r) => r.sources.some((x) => x.source === "targets" && !x.up));
    expect(bad.sources.find((x) => x.source === "targets")?.error).toMatch(/engines\.0\.url: not an http or https address/);
    expect(poolOf(bad, "decode")?.replicas).toHaveLength(1);
    await a.writeTargets(JSON.stringify({ node: "node-b", engines: [], gpus: [] }));
    await reportWhere(s, "another node's file", (r) => r.sources.some((x) => x.error?.includes('the file is for "node-b"') === true));
    await a.setTargets({ engines: [] });
    await reportWhere(s, "no pools", (r) => r.pools.length === 0 && r.seq > bad.seq);
  });

  it("puts GPUs and spans under the pool of the pod they belong to", async () => {
    const [engine, gpus] = [await page(vllmPage({ tokens: 1 })), await page(gpuPage("decode-0", 0.4))];
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)], gpus: [{ url: gpus.url }] });
    const attribute = (key: string, value: object): object => ({ key, value });
    const span = {
      ...{ traceId: "6590efa1c873a2c85dafaea93baa2dde", spanId: "90998387df8b04bb", name: "llm_request", kind: 2 },
      ...{ startTimeUnixNano: "1787400000000000000", endTimeUnixNano: "1787400001500000000" },
      attributes: [
        attribute("gen_ai.latency.time_to_first_token", { doubleValue: 0.25 }),
        attribute("gen_ai.usage.completion_tokens", { intValue: "9" }),
      ],
    };
    const resource = { attributes: [attribute("service.instance.id", { stringValue: "decode-0" })] };
    const scope = { name: "vllm.tracing.otel" };
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [span] }] }] });
    const sent = await fetch(`http://127.0.0.1:${a.ports.otlpHttp}/v1/traces`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect(sent.status).toBe(200);

    const withSpan = await reportWhere(s, "the span", (r) => r.requests.length > 0);
    expect(withSpan.requests).toMatchObject([{ pod: "decode-0", pool: "decode", role: "decode", firstToken: 0.25, outputTokens: 9 }]);
    expect(withSpan.spans).toEqual({ received: 1, dropped: 0 });
    expect(Object.keys(poolOf(withSpan, "decode")?.spans ?? {}).sort()).toEqual(["e2e", "osl", "ttft"]);
    expect(s.folded.flatMap((r) => r.requests)).toHaveLength(1);

    const withGpu = await reportWhere(s, "the GPU", (r) => r.gpus.length > 0);
    expect(withGpu.gpus).toMatchObject([{ gpu: "0", uuid: "GPU-1", pod: "decode-0", pool: "decode", role: "decode", tensorActive: 0.4 }]);
    expect(await a.metrics()).toContain(
      'fulcrum_gpu_tensor_active_ratio{gpu="0",uuid="GPU-1",pod="decode-0",pool="decode",role="decode"} 0.4',
    );
    gpus.show((_, response) => response.writeHead(500).end());
    await reportWhere(s, "no GPU", (r) => r.seq > withGpu.seq && r.gpus.length === 0);
    expect(await a.metrics()).not.toContain("fulcrum_gpu_tensor_active_ratio{");
  });

  it("outlives every kind of bad page, and says of each what is wrong", async () => {
    const engine = await page("<!doctype html><title>Welcome to nginx!</title>");
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url, scrapeTimeout: 0.2, maxPageBytes: 50_000 }, { engines: [engineTarget(engine.url)] });
    const error = (text: RegExp): Promise<unknown> =>
      reportWhere(s, String(text), (r) => r.sources.some((x) => x.source === "engine" && !x.up && text.test(x.error ?? "")));
    await error(/^not a metrics page; line 1: /);
    engine.show((_, response) => response.setHeader("content-encoding", "gzip").end("garbage"));
    await error(/header check/);
    engine.show("x".repeat(60_000));
    await error(/larger than 50000 bytes/);
    engine.show((_, response) => response.writeHead(200).write("vllm:num_requests_running 1"));
    await error(/no complete answer within 0.2 s/);
    engine.show(vllmPage({ tokens: 3 }));
    await reportWhere(s, "recovery", (r) => r.sources.some((x) => x.source === "engine" && x.up));
    expect((await a.get("/healthz")).status).toBe(200);
  });

  it("is ready when its targets have been tried, and alive before", async () => {
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url, interval: 0.2 }, "not json");
    expect((await a.get("/healthz")).status).toBe(200);
    const early = await a.get("/readyz");
    expect(early.status).toBe(503);
    expect(await early.text()).toContain("the targets file: ");
    // Nobody listens on port 9 of the loopback: tried and down is ready all the same.
    await a.setTargets({ engines: [engineTarget("http://127.0.0.1:9/metrics")] });
    await until("readiness", async () => (await a.get("/readyz")).status === 200);
    expect((await a.get("/nothing")).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${a.ports.metrics}/metrics`, { method: "POST" })).status).toBe(405);
  });

  it("sends what is pending when it is stopped", async () => {
    const engine = await page(vllmPage({ tokens: 1 }));
    const s = await scaler();
    const a = await startAgent({ scalerUrl: s.url, interval: 0.3 }, { engines: [engineTarget(engine.url)] });
    await reportWhere(s, "a sample", (r) => poolOf(r, "decode")?.counters.generatedTokens === 0);
    const seen = engine.requests();
    engine.show(vllmPage({ tokens: 9 }));
    await until("one more scrape", () => engine.requests() > seen + 1);
    await a.stop();
    expect(total(s.folded, "decode", "generatedTokens")).toBe(8);
  });

  it("does not start on a port in use, and names the setting", async () => {
    const a = await agent({});
    const settings = agentSettingsSchema.parse({
      node: "n",
      targets: "/nonexistent",
      port: a.ports.metrics,
      otlpGrpcPort: "off",
      otlpHttpPort: "off",
    });
    const never = new AbortController().signal;
    await expect(runAgent(settings, never, createLog("agent", "silent"))).rejects.toMatchObject({
      code: "port-in-use",
      message: `127.0.0.1:${a.ports.metrics} is in use; set port to another port`,
    });
    for (const [setting, port] of [
      ["otlpHttpPort", a.ports.otlpHttp],
      ["otlpGrpcPort", a.ports.otlpGrpc],
    ] as const)
      await expect(runAgent({ ...settings, port: 0, [setting]: port }, never, createLog("agent", "silent"))).rejects.toMatchObject({
        code: "port-in-use",
      });
  });
});

const t0 = sharedPath("samples/vllm-main-2026-08-nixl-decode-t0.txt");
const t1 = sharedPath("samples/vllm-main-2026-08-nixl-decode-t1.txt");
describe.skipIf(t0 === undefined || t1 === undefined)("an agent reading vLLM's own pages [needs shared data]", () => {
  it("reports the window between them as its ground truth has it", async () => {
    const engine = await page(readFileSync(t0 ?? "", "utf8"));
    const s = await scaler();
    const a = await agent({ scalerUrl: s.url }, { engines: [engineTarget(engine.url)] });
    await reportWhere(s, "t0", (r) => poolOf(r, "decode")?.counters.generatedTokens === 0);
    engine.show(readFileSync(t1 ?? "", "utf8"));
    const moved = await reportWhere(s, "t1", (r) => (poolOf(r, "decode")?.counters.generatedTokens ?? 0) > 0);
    const pool = poolOf(moved, "decode");
    expect(pool?.distributions.ttft?.kind === "buckets" && pool.distributions.ttft.count).toBe(69);
    expect(pool?.counters.kvTransferBytes).toBeCloseTo(1.05498017792e11 - 6.1471981568e10, 0);
    const itl = pool?.distributions.itl;
    expect(itl?.kind === "buckets" && itl.sum / itl.count).toBeCloseTo(0.0239, 4);
    const text = await a.metrics();
    expect(text).toMatch(/^fulcrum_ttft_seconds_count\{.*pool="decode".*\} 69$/m);
    // Of the last interval alone; one that fell between two scrapes has none.
    const bandwidth = /^fulcrum_kv_transfer_bandwidth_bytes_per_second\{.*source="",target="node-a".*\} /m;
    await until("a bandwidth", async () => bandwidth.test(await a.metrics()));
  });
});
