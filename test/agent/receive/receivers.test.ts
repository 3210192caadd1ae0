import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { Client, credentials, status } from "@grpc/grpc-js";
import { type Attributes, SpanKind } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openReceivers, type Receivers } from "../../../agent/receive/receivers.ts";
import { createSpanIntake, type SpanIntake, type Transport } from "../../../agent/receive/span-intake.ts";
import { LIMITS } from "../../../wire/messages.ts";
import { sharedPath } from "../../support/shared.ts";
import { engineTarget } from "../support/agent.ts";
import { until } from "../support/until.ts";

const targets = [
  engineTarget("http://127.0.0.1:9/metrics"),
  engineTarget("http://127.0.0.1:9/metrics", { pod: "prefill-0", pool: "prefill", role: "prefill", instance: "P/0" }),
];

interface Fixture {
  readonly intake: SpanIntake;
  readonly receivers: Receivers;
  readonly received: Map<Transport, number>;
  readonly dropped: Map<string, number>;
}
let f: Fixture;

beforeEach(async () => {
  const [received, dropped] = [new Map<Transport, number>(), new Map<string, number>()];
  const intake = createSpanIntake({
    targets: () => targets,
    now: () => 7,
    maxSpansPerSecond: 1e9,
    sampledOut: () => undefined,
    received: (transport, n) => received.set(transport, (received.get(transport) ?? 0) + n),
    dropped: (reason, n) => dropped.set(reason, (dropped.get(reason) ?? 0) + n),
  });
  const onBug = (cause: unknown): void => {
    throw cause;
  };
  const receivers = await openReceivers({ host: "127.0.0.1", otlpGrpcPort: 0, otlpHttpPort: 0 }, { intake, onProblem: onBug });
  f = { intake, receivers, received, dropped };
});
afterEach(() => f.receivers.close());

const url = (): string => `http://127.0.0.1:${f.receivers.httpPort}/v1/traces`;

/** One finished request as vLLM's tracing emits it. */
async function exportRequest(exporter: SpanExporter, resource: Attributes, more: Attributes = {}, count = 1): Promise<void> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(resource),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  for (let i = 0; i < count; i++) {
    const attributes = {
      "gen_ai.latency.time_to_first_token": 0.25,
      "gen_ai.latency.e2e": 1.25,
      "gen_ai.latency.time_in_queue": 0.05,
      "gen_ai.latency.time_in_model_decode": 1,
      "gen_ai.usage.prompt_tokens": 700,
      "gen_ai.usage.completion_tokens": 101,
      ...more,
    };
    const span = provider
      .getTracer("vllm.tracing.otel")
      .startSpan("llm_request", { kind: SpanKind.SERVER, startTime: 1_700_000_000_000, attributes });
    span.end(1_700_000_001_250);
  }
  await provider.forceFlush();
  await provider.shutdown();
}

describe("the OTLP receivers, fed by OpenTelemetry's own exporters", () => {
  it.each<[string, Transport, () => SpanExporter]>([
    ["gRPC", "grpc", () => new GrpcExporter({ url: `http://127.0.0.1:${f.receivers.grpcPort}` })],
    ["HTTP/protobuf", "http", () => new ProtobufExporter({ url: url() })],
    ["HTTP/JSON", "http", () => new JsonExporter({ url: url() })],
  ])("take a request's half over %s", async (_, transport, exporter) => {
    await exportRequest(exporter(), { "service.name": "vllm", "service.instance.id": "decode-0" });
    const taken = f.intake.take();
    expect(taken).toMatchObject({ received: 1, dropped: 0, requestsDropped: 0 });
    expect(f.received).toEqual(new Map([[transport, 1]]));
    expect(taken.requests).toEqual([
      {
        trace: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        ...{
          role: "decode",
          pod: "decode-0",
          pool: "decode",
          namespace: "ns",
          start: 1_700_000_000,
          end: expect.closeTo(1_700_000_001.25, 5) as number,
        },
        ...{ firstToken: 0.25, queue: 0.05, decode: 1, promptTokens: 700, outputTokens: 101 },
      },
    ]);
    const itl = taken.pools.get("ns/decode")?.itl;
    expect(itl?.kind === "sketch" && [itl.sketch.count, itl.sketch.sum]).toEqual([100, expect.closeTo(1, 9)]);
    expect(f.intake.take()).toMatchObject({ received: 0, requests: [] });
    expect(f.intake.lastBatch()).toBe(7);
  });

  it("place spans by instance, pod attribute, host name or service name, and count the others", async () => {
    const send = (resource: Attributes): Promise<void> => exportRequest(new ProtobufExporter({ url: url() }), resource);
    await send({ "service.name": "vllm", "service.instance.id": "P/0" });
    await send({ "service.name": "vllm", "service.instance.id": "89e10f18-random", "k8s.pod.name": "prefill-0" });
    await send({ "service.name": "vllm", "host.name": "decode-0" });
    await send({ "service.name": "prefill", "service.instance.id": "89e10f18-random" });
    await send({ "service.name": "vllm", "service.instance.id": "somebody-else" });
    const { requests, received, dropped } = f.intake.take();
    expect(requests.map((r) => r.pod)).toEqual(["prefill-0", "prefill-0", "decode-0", "prefill-0"]);
    expect([received, dropped]).toEqual([5, 1]);
    expect(f.dropped).toEqual(new Map([["unattributed", 1]]));
  });

  it("carry at most a report's worth of halves, and still measure and count the rest", async () => {
    const count = LIMITS.requestsPerReport + 40;
    const exporter = new ProtobufExporter({ url: url() });
    const perBatch = 510;
    for (let sent = 0; sent < count; sent += perBatch) {
      const batch = new ProtobufExporter({ url: url() });
      await exportRequest(batch, { "service.instance.id": "decode-0" }, {}, Math.min(perBatch, count - sent));
    }
    await exporter.shutdown();
    const taken = f.intake.take();
    expect(taken.requests).toHaveLength(LIMITS.requestsPerReport);
    expect(taken.requestsDropped).toBe(40);
    const ttft = taken.pools.get("ns/decode")?.ttft;
    expect(ttft?.kind === "sketch" && ttft.sketch.count).toBe(count);
  });
});

describe("the OTLP/HTTP receiver", () => {
  const post = (body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
    fetch(url(), { method: "POST", body: typeof body === "string" ? body : new Uint8Array(body), headers });

  it("answers in the request's own format", async () => {
    const json = await post(`{"resourceSpans":[]}`, { "content-type": "application/json" });
    expect([json.status, json.headers.get("content-type"), await json.text()]).toEqual([200, "application/json", "{}"]);
    const protobuf = await post(Buffer.alloc(0), { "content-type": "application/x-protobuf" });
    expect([protobuf.status, protobuf.headers.get("content-type"), await protobuf.text()]).toEqual([200, "application/x-protobuf", ""]);
  });

  it("reads gzip, and names it to a sender of something else", async () => {
    const headers = { "content-type": "application/json" };
    expect((await post(gzipSync(`{"resourceSpans":[]}`), { ...headers, "content-encoding": "gzip" })).status).toBe(200);
    const br = await post("x", { ...headers, "content-encoding": "br" });
    expect([br.status, await br.json()]).toEqual([415, { code: 3, message: 'content-encoding "br" is not supported; use gzip' }]);
  });

  it.each<[string, number, () => Promise<Response>]>([
    ["garbage as protobuf", 400, () => post(Buffer.from("ffffffffffffffffffff", "hex"), { "content-type": "application/x-protobuf" })],
    ["garbage as JSON", 400, () => post("{", { "content-type": "application/json" })],
    ["broken gzip", 400, () => post("garbage", { "content-type": "application/json", "content-encoding": "gzip" })],
    [
      "a gzip bomb",
      413,
      () => post(gzipSync(Buffer.alloc(64 * 1024 * 1024)), { "content-type": "application/json", "content-encoding": "gzip" }),
    ],
    ["a large body", 413, () => post(Buffer.alloc(9 * 1024 * 1024), { "content-type": "application/x-protobuf" })],
    ["another type", 415, () => post("x", { "content-type": "text/plain" })],
    ["another path", 404, () => fetch(url().replace("traces", "logs"), { method: "POST", body: "{}" })],
    ["another method", 405, () => fetch(url())],
  ])("refuses %s with %d and goes on", async (_, status, send) => {
    expect((await send()).status).toBe(status);
    expect((await post(`{"resourceSpans":[]}`, { "content-type": "application/json" })).status).toBe(200);
    expect(f.intake.take().received).toBe(0);
  });

  it("says in a Status message what was wrong", async () => {
    const answer = await post("{", { "content-type": "application/json" });
    expect(await answer.json()).toMatchObject({ code: 3, message: expect.stringMatching(/^not an ExportTraceServiceRequest: /) as string });
    expect(f.dropped.get("malformed")).toBe(1);
  });

  it("keeps a connection for longer than exporters rest between two batches (5 s by default): one closed by then loses the next", async () => {
    const { headers: answered } = await post(`{"resourceSpans":[]}`, { "content-type": "application/json" });
    const seconds = /timeout=(\d+)/.exec(answered.get("keep-alive") ?? "")?.[1];
    expect(Number(seconds)).toBeGreaterThan(30);
  });

  it("outlives a sender that breaks off", async () => {
    const socket = connect(f.receivers.httpPort ?? 0, "127.0.0.1");
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.write("POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
    socket.resetAndDestroy();
    await until("the broken body to be counted", () => f.dropped.get("broken-off") === 1);
    expect((await post(`{"resourceSpans":[]}`, { "content-type": "application/json" })).status).toBe(200);
  });
});

describe("the OTLP/gRPC receiver", () => {
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  const bytes = (b: Buffer): Buffer => b;
  const call = (body: Buffer, method = path): Promise<{ code: number; details: string }> =>
    new Promise((resolve) => {
      const client = new Client(`127.0.0.1:${f.receivers.grpcPort}`, credentials.createInsecure());
      client.makeUnaryRequest(method, bytes, bytes, body, (error) => {
        client.close();
        resolve(error === null ? { code: status.OK, details: "" } : { code: error.code, details: error.details });
      });
    });

  it("answers garbage, too much and unknown methods with their status, and goes on", async () => {
    const garbage = await call(Buffer.from("ffffffffffffffffffff", "hex"));
    expect(garbage.code).toBe(status.INVALID_ARGUMENT);
    expect(garbage.details).toMatch(/^not an ExportTraceServiceRequest: /);
    expect((await call(Buffer.alloc(9 * 1024 * 1024))).code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await call(Buffer.alloc(0), "/other.Service/Export")).code).toBe(status.UNIMPLEMENTED);
    expect((await call(Buffer.alloc(0))).code).toBe(status.OK);
    expect(f.dropped.get("malformed")).toBe(1);
  });

  // What an agent finds that the machine has held up for some seconds: the calls of all that time, their messages behind them.
  it("lets a burst of calls wait for one another and refuses none", async () => {
    const session = connectHttp2(`http://127.0.0.1:${f.receivers.grpcPort}`);
    const calls = Array.from({ length: 30 }, () => openCall(session));
    // Its answer comes after the server has seen all of them.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    for (const { stream } of calls) stream.end(Buffer.from([0, 0, 0, 0, 0]));
    expect(await Promise.all(calls.map((c) => c.status))).toEqual(Array.from({ length: 30 }, () => "0"));
    expect(f.dropped.get("overload")).toBeUndefined();
    session.destroy();
  });

  /** Opens a call whose message is yet to come; its status as the trailers say it. */
  function openCall(session: ClientHttp2Session): { readonly stream: ClientHttp2Stream; readonly status: Promise<string> } {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
    stream.resume();
    const status = new Promise<string>((resolve, reject) => {
      const take = (headers: { readonly "grpc-status"?: unknown }): void => {
        if (headers["grpc-status"] !== undefined) resolve(String(headers["grpc-status"]));
      };
      // A refusal comes with the first headers.
      stream.on("response", take).on("trailers", take).once("error", reject);
    });
    return { stream, status };
  }

  it("outlives a sender that does not speak HTTP/2", async () => {
    const socket = connect(f.receivers.grpcPort ?? 0, "127.0.0.1");
    socket.on("error", () => undefined).resume();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.end("GET / HTTP/1.1\r\n\r\n");
    await closed;
    expect((await call(Buffer.alloc(0))).code).toBe(status.OK);
  });
});

const sample = sharedPath("samples/otlp-vllm-main-2026-08-prefill.json");
describe.skipIf(sample === undefined)("spans of vLLM's own tracing classes [needs shared data]", () => {
  it("are placed by their service name when their instance id is random", async () => {
    const body = readFileSync(sample ?? "", "utf8").replaceAll("vllm-prefill", "prefill");
    await fetch(url(), { method: "POST", body, headers: { "content-type": "application/json" } });
    const { requests } = f.intake.take();
    expect(requests.length).toBeGreaterThan(0);
    expect(new Set(requests.map((r) => r.pod))).toEqual(new Set(["prefill-0"]));
    expect(requests[0]?.firstToken).toBeCloseTo(0.18043, 4);
  });
});
