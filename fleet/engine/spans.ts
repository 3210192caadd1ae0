import type { Attributes } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as ProtoExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { EngineStart, Leg } from "./messages.ts";
import { sglangSpans } from "./spans-sglang.ts";
import { vllmSpans } from "./spans-vllm.ts";
import type { SpanWriter } from "./spans-writer.ts";

/** Sends the spans of finished requests. Never throws: an agent that is down costs spans, not the engine. */
export interface SpanSender {
  send(legs: readonly Leg[]): void;
  /** Waits until everything queued has left, or the exporter gave up. */
  close(): Promise<void>;
}

/** Queue bound of one engine: at 40 requests/s and 10 spans each, ten seconds of an unreachable agent. */
const MAX_QUEUE = 4096;
const SCHEDULE_DELAY_MS = 500;
const EXPORT_TIMEOUT_MS = 2_000;

export function createSpanSender(start: EngineStart, pid: number): SpanSender {
  if (start.otlp === undefined) return { send: () => undefined, close: () => Promise.resolve() };
  const vllm = start.engine === "vllm";
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(resourceOf(start, pid)),
    spanProcessors: [
      new BatchSpanProcessor(exporterOf(start.otlp), {
        maxQueueSize: MAX_QUEUE,
        maxExportBatchSize: vllm ? 512 : 64,
        scheduledDelayMillis: SCHEDULE_DELAY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const writer: SpanWriter = { tracer: provider.getTracer(vllm ? "vllm.tracing.otel" : "sglang server"), start, pid };
  return {
    send: (legs) => {
      for (const leg of legs) {
        if (vllm) vllmSpans(writer, leg);
        else sglangSpans(writer, leg);
      }
    },
    // A refused export rejects here; the engine ends all the same.
    close: () => provider.shutdown().catch(() => undefined),
  };
}

function exporterOf({ protocol, url }: NonNullable<EngineStart["otlp"]>): SpanExporter {
  if (protocol === "grpc") return new GrpcExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  return new ProtoExporter({ url: `${url.replace(/\/$/, "")}/v1/traces`, timeoutMillis: EXPORT_TIMEOUT_MS });
}

function resourceOf(start: EngineStart, pid: number): Attributes {
  const common = { "telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry", "service.instance.id": start.pod };
  if (start.engine === "sglang") return { ...common, "service.name": "sglang" };
  return {
    ...common,
    "service.name": `vllm-${start.role}`,
    "vllm.instrumenting_module_name": "vllm.llm_engine",
    "vllm.process_id": String(pid),
  };
}
