import { createServer } from "node:http";
import { SpanKind } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

/** The bytes OpenTelemetry's own exporter sends for a batch of finished requests, with every attribute vLLM's tracing sets. */
export async function otlpBatch(spans: number, instance: string): Promise<Buffer> {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "vllm", "service.instance.id": instance }),
    spanProcessors: [new SimpleSpanProcessor(memory)],
  });
  const tracer = provider.getTracer("vllm.tracing.otel");
  const start = Date.now() - 5000;
  for (let i = 0; i < spans; i++) {
    const attributes = {
      "gen_ai.latency.time_to_first_token": 0.25 + i / 1e4,
      "gen_ai.latency.e2e": 1.25,
      "gen_ai.latency.time_in_queue": 0.05,
      "gen_ai.latency.time_in_model_prefill": 0.19,
      "gen_ai.latency.time_in_model_decode": 1.01,
      "gen_ai.latency.time_in_model_inference": 1.2,
      "gen_ai.usage.prompt_tokens": 700 + i,
      "gen_ai.usage.completion_tokens": 101,
      "gen_ai.request.id": `cmpl-4f6c2a9e0d1b4c6f8a7e5d3c2b1a0f9e-${i}`,
      "gen_ai.request.temperature": 0.7,
      "gen_ai.request.top_p": 0.9,
      "gen_ai.request.max_tokens": 512,
      "gen_ai.request.n": 1,
    };
    tracer.startSpan("llm_request", { kind: SpanKind.SERVER, startTime: start + i, attributes }).end(start + i + 1250);
  }
  return sentBy(memory.getFinishedSpans());
}

async function sentBy(spans: ReturnType<InMemorySpanExporter["getFinishedSpans"]>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces` });
  await new Promise((resolve) => exporter.export(spans, resolve));
  await exporter.shutdown();
  await new Promise((resolve) => server.close(resolve));
  return Buffer.concat(chunks);
}
