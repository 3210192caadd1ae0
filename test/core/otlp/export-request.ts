import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";

export interface Exported {
  readonly proto: Uint8Array;
  readonly json: string;
  /** What the SDK itself holds of the same spans. */
  readonly spans: readonly ReadableSpan[];
}

/** Lets the real OpenTelemetry exporters send one batch of spans to a loopback server, and returns the bytes they sent. */
export async function exportRequest(): Promise<Exported> {
  const bodies = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.set(request.headers["content-type"] ?? "", Buffer.concat(chunks));
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/v1/traces`;
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "vllm-decode", "service.instance.id": "i-1", "process.pid": 42 }),
    spanProcessors: [
      new SimpleSpanProcessor(memory),
      new BatchSpanProcessor(new ProtoExporter({ url })),
      new BatchSpanProcessor(new JsonExporter({ url, headers: {} })),
    ],
  });
  makeSpans(provider);
  const spans = [...memory.getFinishedSpans()];
  await provider.forceFlush();
  await provider.shutdown();
  await new Promise((resolve) => server.close(resolve));
  const proto = bodies.get("application/x-protobuf");
  const json = bodies.get("application/json");
  if (proto === undefined || json === undefined) throw new Error(`exporters sent ${[...bodies.keys()].join(", ") || "nothing"}`);
  return { proto, json: json.toString("utf8"), spans };
}

function makeSpans(provider: BasicTracerProvider): void {
  const tracer = provider.getTracer("vllm.tracing.otel", "1.2.3");
  const start = 1_787_400_000_512;
  const root = tracer.startSpan("proxy", { kind: SpanKind.CLIENT, startTime: start - 5 });
  const parent = trace.setSpanContext(ROOT_CONTEXT, root.spanContext());
  for (let i = 0; i < 40; i++) {
    const span = tracer.startSpan("llm_request", { kind: SpanKind.SERVER, startTime: start + i }, parent);
    span.setAttributes({
      "gen_ai.latency.time_to_first_token": 0.034 + i / 1000,
      "gen_ai.usage.prompt_tokens": 2946 + i,
      "gen_ai.usage.completion_tokens": 0,
      "gen_ai.request.id": `chatcmpl-größe-${i}`,
      // Negative integers: two's complement on the wire.
      "gen_ai.latency.e2e": [-1, -300, -(2 ** 40) - 1, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER][i % 5] ?? 0,
      module: "x".repeat(100),
      ignored: ["a", "b"],
    });
    span.addEvent("event", { detail: "not read" });
    if (i === 3) span.setStatus({ code: SpanStatusCode.ERROR, message: "abort" });
    span.end(start + i + 1731.25);
  }
  root.end(start + 5000);
}
