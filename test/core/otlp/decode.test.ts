import { SpanStatusCode } from "@opentelemetry/api";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeTracesJson } from "../../../core/otlp/json.ts";
import { decodeTraces } from "../../../core/otlp/protobuf.ts";
import { DEFAULT_TRACE_LIMITS, type TraceBatch } from "../../../core/otlp/trace.ts";
import { exportRequest, type Exported } from "./export-request.ts";

let exported: Exported;
beforeAll(async () => {
  exported = await exportRequest();
});

function decoded(result: ReturnType<typeof decodeTraces>): TraceBatch {
  if (!result.ok) throw new Error(`${result.error.code} at ${result.error.offset}: ${result.error.message}`);
  return result.value;
}

const seconds = ([s, ns]: [number, number]): number => s + ns / 1e9;

describe("what the real exporters send", () => {
  it.each(["protobuf", "json"] as const)("is decoded from %s with every field we keep", (format) => {
    const batch = decoded(format === "protobuf" ? decodeTraces(exported.proto) : decodeTracesJson(exported.json));
    expect(batch).toMatchObject({ spans: 41, dropped: 0 });
    expect(batch.resources).toHaveLength(1);
    const [resource] = batch.resources;
    expect(resource).toMatchObject({ service: "vllm-decode", instance: "i-1" });
    expect(resource?.attributes.get("process.pid")).toBe(42);
    const byId = new Map(resource?.spans.map((span) => [span.spanId, span]));
    expect(byId.size).toBe(exported.spans.length);
    for (const span of exported.spans) {
      const own = byId.get(span.spanContext().spanId);
      expect(own).toMatchObject({
        traceId: span.spanContext().traceId,
        name: span.name,
        scope: "vllm.tracing.otel",
        // OTLP numbers the kinds from 1, the SDK from 0.
        kind: span.kind + 1,
        error: span.status.code === SpanStatusCode.ERROR,
      });
      expect(own?.parentSpanId).toBe(span.parentSpanContext?.spanId);
      expect(own?.start).toBeCloseTo(seconds(span.startTime), 6);
      expect(own?.end).toBeCloseTo(seconds(span.endTime), 6);
      const wanted = Object.entries(span.attributes).filter(([key]) => DEFAULT_TRACE_LIMITS.wanted.has(key));
      expect(own?.attributes).toEqual(new Map(wanted));
    }
  });

  it("is the same from both formats", () => {
    expect(decodeTraces(exported.proto)).toEqual(decodeTracesJson(exported.json));
  });
});

describe("hostile bytes", () => {
  it("are an error with an offset, or an empty batch, and never an exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const result = decodeTraces(bytes);
        if (!result.ok) expect(result.error.offset).toBeLessThanOrEqual(bytes.length);
        else expect(result.value.spans).toBeLessThanOrEqual(bytes.length / 30);
      }),
      { numRuns: 3000 },
    );
  });

  it("made by flipping bytes of a real export are never an exception", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(exported.proto);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const result = decodeTraces(bytes);
        if (result.ok) expect(result.value.spans + result.value.dropped).toBeLessThanOrEqual(bytes.length);
        else expect(result.error.code).toBe("malformed");
      }),
      { numRuns: 1000 },
    );
  });

  it("cut off are malformed at every length", () => {
    for (let n = 1; n < exported.proto.length; n += 61) {
      expect(decodeTraces(exported.proto.subarray(0, n))).toMatchObject({ ok: false, error: { code: "malformed" } });
    }
  });

  it("that claim a field longer than the message, groups, or endless varints are refused", () => {
    const refused = (...bytes: number[]): unknown =>
      expect(decodeTraces(new Uint8Array(bytes))).toMatchObject({ ok: false, error: { code: "malformed" } });
    refused(10, 0xff, 0xff, 0xff, 0xff, 0x0f);
    refused(10, 5, 18);
    refused(11);
    refused(...new Array<number>(12).fill(0x80));
    expect(decodeTraces(new Uint8Array())).toEqual({ ok: true, value: { resources: [], spans: 0, dropped: 0, sampledOut: 0 } });
  });
});

describe("hostile JSON", () => {
  it("of any shape is a batch or an error, never an exception", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const result = decodeTracesJson(text);
        if (result.ok) expect(result.value.spans).toBe(0);
        else expect(result.error.code).toBe("malformed");
      }),
      { numRuns: 1000 },
    );
  });

  it("with fields of wrong types drops the span and goes on", () => {
    const good = {
      traceId: "0123456789ABCDEF0123456789abcdef",
      spanId: "0123456789abcdef",
      name: "n",
      startTimeUnixNano: "1000000000",
      endTimeUnixNano: 2e9,
    };
    const spans = [
      good,
      null,
      7,
      { ...good, traceId: "xyz" },
      { ...good, spanId: "0000000000000000" },
      { ...good, endTimeUnixNano: "5" },
      { ...good, name: 3 },
    ];
    const text = JSON.stringify({
      resourceSpans: [null, { scopeSpans: "no" }, { resource: { attributes: [{ key: 1 }, null] }, scopeSpans: [{ spans }] }],
    });
    const batch = decoded(decodeTracesJson(text));
    expect(batch).toMatchObject({ spans: 2, dropped: 5 });
    expect(batch.resources[2]?.spans[0]).toMatchObject({ traceId: "0123456789abcdef0123456789abcdef", start: 1, end: 2 });
  });
});

describe("limits", () => {
  it("drop and count spans beyond the number, refuse what is too large, leave out long text", () => {
    const limits = { ...DEFAULT_TRACE_LIMITS, spans: 10, text: 50 };
    const proto = decoded(decodeTraces(exported.proto, limits));
    expect(proto).toMatchObject({ spans: 10, dropped: 31 });
    expect(proto.resources[0]?.spans[0]?.attributes.has("module")).toBe(false);
    expect(decoded(decodeTracesJson(exported.json, limits))).toEqual(proto);
    expect(decodeTraces(exported.proto, { ...limits, size: 100 })).toMatchObject({ ok: false, error: { code: "too-large" } });
    expect(decodeTracesJson(exported.json, { ...limits, size: 100 })).toMatchObject({ ok: false, error: { code: "too-large" } });
  });
});
