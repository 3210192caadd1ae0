import { createHash } from "node:crypto";
import http from "node:http";
import { gunzipSync } from "node:zlib";
import { Client, credentials } from "@grpc/grpc-js";
import { SpanKind } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, describe, expect, it } from "vitest";
import { decodeTracesJson } from "../../../core/otlp/json.ts";
import { decodeTraces } from "../../../core/otlp/protobuf.ts";
import { type TestAgent, engineTarget, startAgent } from "../support/agent.ts";
import { bytes, type Collector, type Received, startCollector } from "../support/collector.ts";
import { type TestScaler, startScaler } from "../support/scaler.ts";

const SPANS = 20_000;
const BATCH = 500;

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.stop();
});

/** 20,000 finished requests, as the SDK holds them. */
function makeSpans(): ReadableSpan[] {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "vllm", "service.instance.id": "decode-0" }),
    spanProcessors: [new SimpleSpanProcessor(memory)],
  });
  const tracer = provider.getTracer("vllm.tracing.otel");
  for (let i = 0; i < SPANS; i++) {
    const attributes = { "gen_ai.latency.time_to_first_token": 0.25, "gen_ai.usage.prompt_tokens": i, "gen_ai.request.id": `r-${i}` };
    tracer.startSpan("llm_request", { kind: SpanKind.SERVER, startTime: 1_700_000_000_000, attributes }).end(1_700_000_001_250);
  }
  return memory.getFinishedSpans();
}
const spans = makeSpans();

interface Chain {
  readonly sender: Collector;
  readonly collector: Collector;
  readonly scaler: TestScaler;
  agent: TestAgent;
  restart(): Promise<void>;
}

/** exporter → a relay that keeps what was sent and acknowledged → the agent → a collector. */
async function startChain(): Promise<Chain> {
  const collector = await startCollector();
  const scaler = await startScaler();
  const settings = { scalerUrl: scaler.url, downstreamOtlp: collector.httpUrl };
  const targets = { engines: [engineTarget("http://127.0.0.1:9/metrics")] };
  const chain = { agent: await startAgent(settings, targets) };
  const { otlpHttp = 0, otlpGrpc = 0 } = chain.agent.ports;
  const sender = await startCollector((item) => (item.transport === "http" ? passHttp(otlpHttp, item) : passGrpc(otlpGrpc, item)));
  open.push(collector, scaler, { stop: () => chain.agent.stop() }, sender);
  return Object.assign(chain, {
    ...{ sender, collector, scaler },
    async restart() {
      await chain.agent.stop();
      chain.agent = await startAgent({ ...settings, otlpHttpPort: otlpHttp, otlpGrpcPort: otlpGrpc }, targets);
    },
  });
}

const passHttp = (port: number, { body, headers }: Received): Promise<void> =>
  new Promise((resolve, reject) => {
    const own = { "content-type": headers["content-type"], "content-length": body.length };
    const encoded = { ...own, ...(headers["content-encoding"] !== undefined && { "content-encoding": headers["content-encoding"] }) };
    const request = http.request({ port, host: "127.0.0.1", path: "/v1/traces", method: "POST", headers: encoded, agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume().on("error", reject);
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(String(response.statusCode)))));
    });
    request.end(body);
  });

const passGrpc = (port: number, { body }: Received): Promise<void> =>
  new Promise((resolve, reject) => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    client.makeUnaryRequest("/opentelemetry.proto.collector.trace.v1.TraceService/Export", bytes, bytes, body, (error) => {
      client.close();
      if (error === null) resolve();
      else reject(error);
    });
  });

/** One batch, again until it is taken: what an exporter may do with what was not acknowledged. The SDK's own retries come on top. */
async function exportBatch(exporter: SpanExporter, batch: ReadableSpan[]): Promise<void> {
  for (;;) {
    const code = await new Promise<number>((resolve) => exporter.export(batch, (result) => resolve(result.code)));
    if (code === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const digest = ({ body }: Received): string => createHash("sha256").update(body).digest("hex");

function spanIds(received: readonly Received[]): string[] {
  return received.flatMap(({ body: wire, headers }) => {
    const body = headers["content-encoding"] === "gzip" ? gunzipSync(wire) : wire;
    const batch = headers["content-type"] === "application/json" ? decodeTracesJson(body.toString()) : decodeTraces(body);
    if (!batch.ok) throw new Error(batch.error.message);
    return batch.value.resources.flatMap((r) => r.spans.map((s) => s.spanId));
  });
}

const countReported = (scaler: TestScaler): number => scaler.folded.reduce((sum, r) => sum + r.spans.received, 0);

const EXPORTERS: readonly (readonly [string, (sender: Collector) => SpanExporter])[] = [
  ["gRPC", ({ grpcUrl }) => new GrpcExporter({ url: grpcUrl.replace("grpc:", "http:") })],
  ["HTTP/protobuf", ({ httpUrl }) => new ProtobufExporter({ url: `${httpUrl}/v1/traces` })],
  ["HTTP/JSON, gzip", ({ httpUrl }) => new JsonExporter({ url: `${httpUrl}/v1/traces`, compression: "gzip" as never })],
];

describe.each(EXPORTERS)("20,000 spans of OpenTelemetry's own %s exporter", (_, create) => {
  it("are all counted, and forwarded byte for byte", async () => {
    const chain = await startChain();
    const exporter = create(chain.sender);
    for (let at = 0; at < SPANS; at += BATCH) await exportBatch(exporter, spans.slice(at, at + BATCH));
    await exporter.shutdown();
    const page = await chain.agent.metrics();
    expect(page).toMatch(/^fulcrum_spans_received_total\{transport="(grpc|http)"\} 20000$/m);
    await chain.agent.stop();
    expect(countReported(chain.scaler)).toBe(SPANS);
    expect(chain.collector.received.map(digest).sort()).toEqual(chain.sender.received.map(digest).sort());
    expect(chain.sender.received).toHaveLength(SPANS / BATCH);
    expect(new Set(spanIds(chain.collector.received)).size).toBe(SPANS);
  });

  it("survive a restart of the receiver: what was acknowledged was counted and forwarded, the rest was sent again", async () => {
    const chain = await startChain();
    const exporter = create(chain.sender);
    const batches = Array.from({ length: SPANS / BATCH }, (__, i) => spans.slice(i * BATCH, (i + 1) * BATCH));
    let sent = 0;
    let restarted: Promise<void> | undefined;
    const worker = async (): Promise<void> => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        await exportBatch(exporter, batch);
        // In the middle, while the other workers' requests are on their way.
        if (++sent === 10) restarted = chain.restart();
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    await restarted;
    await exporter.shutdown();
    await chain.agent.stop();
    expect(new Set(spanIds(chain.collector.received)).size).toBe(SPANS);
    const acknowledged = new Set(chain.sender.received.map(digest));
    const arrived = new Set(chain.collector.received.map(digest));
    expect([...acknowledged].filter((d) => !arrived.has(d))).toEqual([]);
    expect(countReported(chain.scaler)).toBe(spanIds(chain.collector.received).length);
  });
});
