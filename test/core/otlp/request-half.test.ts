import { describe, expect, it } from "vitest";
import { decodeTracesJson } from "../../../core/otlp/json.ts";
import { createHalfAssembler, type SpanHalf } from "../../../core/otlp/request-half.ts";
import { toResource, type AttributeValue, type Span, type TraceBatch } from "../../../core/otlp/trace.ts";
import { fixture } from "../fixture.ts";

function batchOf(name: string): TraceBatch {
  const result = decodeTracesJson(fixture(`otlp/${name}`));
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

const halves = (name: string): SpanHalf[] => createHalfAssembler().add(batchOf(name));

function span(name: string, attributes: Record<string, AttributeValue>, more: Partial<Span> = {}): Span {
  const base = { traceId: "a".repeat(32), spanId: "b".repeat(16), scope: "", kind: 1, start: 100, end: 101, error: false };
  return { ...base, name, attributes: new Map(Object.entries(attributes)), ...more };
}

const batch = (...spans: Span[]): TraceBatch => ({
  resources: [toResource(new Map(), spans)],
  spans: spans.length,
  dropped: 0,
  sampledOut: 0,
});

describe("vLLM request spans", () => {
  const prefill = halves("otlp-vllm-main-2026-08-prefill.json");
  const decode = halves("otlp-vllm-main-2026-08-decode.json");

  it("become one half each, joined by trace", () => {
    expect(prefill).toHaveLength(4);
    expect(decode.map((h) => h.trace).sort()).toEqual(prefill.map((h) => h.trace).sort());
    expect(decode.map((h) => h.service)).toEqual(Array.from({ length: 4 }, () => "vllm-decode"));
  });

  it("carry the engine's own durations and lengths", () => {
    expect(decode[0]).toMatchObject({
      trace: "6c00394da0d9315b4b6f5df991fbe451",
      instance: "427ed648-f564-4e85-9124-45d1eec1d0b8",
      firstToken: 0.0343625545501709,
      queue: 0.02559638023376465,
      prefill: 0.005666017532348633,
      decode: 1.6963527202606201,
      promptTokens: 2946,
      outputTokens: 114,
    });
    expect(decode[0]?.start).toBeCloseTo(1787400000.512299, 6);
    expect(decode[0]).not.toHaveProperty("role");
    expect(decode[0]).not.toHaveProperty("error");
  });

  it("follow each other: decode starts when the prefill half has ended", () => {
    for (const d of decode) {
      const p = prefill.find((h) => h.trace === d.trace);
      expect(p?.outputTokens).toBe(1);
      expect(p?.promptTokens).toBe(d.promptTokens);
      expect(d.start).toBeGreaterThan(p?.end ?? Number.POSITIVE_INFINITY);
      // The user's first token, as the join computes it: later than either side's own.
      expect(d.start + (d.firstToken ?? 0) - (p?.start ?? 0)).toBeGreaterThan((p?.firstToken ?? 0) + (d.firstToken ?? 0));
    }
  });

  it("leave out what is missing, negative or no number", () => {
    const [half] = createHalfAssembler().add(
      batch(span("llm_request", { "gen_ai.usage.prompt_tokens": -1, "gen_ai.latency.e2e": "x" }, { error: true })),
    );
    expect(half).toEqual({ trace: "a".repeat(32), start: 100, end: 101, error: true });
  });
});

describe("SGLang request trees", () => {
  const name = "otlp-sglang-main-2026-08-prefill.json";

  it("give queue, forward and transfer from their stages", () => {
    const found = halves(name);
    expect(found).toHaveLength(3);
    expect(found[0]).toMatchObject({
      role: "prefill",
      trace: "e3e70682c2094cac629f6fbed82c07cd",
      promptTokens: 601,
      cachedTokens: 256,
      service: "sglang",
    });
    expect(found[0]?.queue).toBeCloseTo(0.022162688, 6);
    expect(found[0]?.prefill).toBeCloseTo(0.02304, 6);
    expect(found[0]?.kvTransfer).toBeCloseTo(0.007322368, 6);
    expect(found[0]).not.toHaveProperty("firstToken");
    expect(found[0]).not.toHaveProperty("outputTokens");
  });

  it("give the same when every span comes in a batch of its own, roots last", () => {
    const whole = batchOf(name);
    const assembler = createHalfAssembler();
    const out = whole.resources.flatMap((resource) =>
      resource.spans.flatMap((s) => assembler.add({ resources: [{ ...resource, spans: [s] }], spans: 1, dropped: 0, sampledOut: 0 })),
    );
    expect(out).toEqual(halves(name));
    expect(assembler.pending()).toBe(0);
  });

  it("give the same when the batch is in reverse order", () => {
    const whole = batchOf(name);
    const reversed = { ...whole, resources: whole.resources.map((r) => ({ ...r, spans: [...r.spans].reverse() })) };
    expect(createHalfAssembler().add(reversed).reverse()).toEqual(halves(name));
  });

  it("take the slowest rank, not the sum of all", () => {
    const scope = "sglang server";
    const root = span(
      "decode Req abcd",
      { "gen_ai.latency.time_to_first_token": 0.2, "gen_ai.latency.time_in_model_decode": 3, "gen_ai.usage.completion_tokens": 50 },
      { scope, spanId: "1".repeat(16), parentSpanId: "9".repeat(16), end: 105 },
    );
    const thread = (id: string): Span =>
      span(`Scheduler ${id}`, { thread_label: "Scheduler" }, { scope, spanId: id.repeat(16), parentSpanId: "1".repeat(16) });
    const wait = (id: string, end: number): Span =>
      span("decode_waiting", {}, { scope, spanId: "f".repeat(15) + id, parentSpanId: id.repeat(16), end });
    const [half] = createHalfAssembler().add(batch(wait("2", 100.5), wait("3", 100.25), thread("2"), thread("3"), root));
    expect(half).toMatchObject({ role: "decode", firstToken: 0.2, queue: 0.5, decode: 3, outputTokens: 50, trace: "a".repeat(32) });
  });

  it("without a propagated context are joined by their bootstrap room, on either side", () => {
    const root = (name: string): Span => span(name, { module: "sglang::request", bootstrap_room: "0x74712eca0ed90475" });
    const found = createHalfAssembler().add(batch(root("prefill Req 1600a35a"), root("decode Req 99887766"), root(" Req 12345678")));
    expect(found.map((h) => h.role)).toEqual(["prefill", "decode", "aggregated"]);
    expect(new Set(found.map((h) => h.trace))).toEqual(new Set(["room:0x74712eca0ed90475"]));
  });

  it("that never finish are given up, oldest first, and counted", () => {
    const assembler = createHalfAssembler(10);
    for (let i = 0; i < 25; i++) {
      const parentSpanId = i.toString(16).padStart(16, "0");
      assembler.add(batch(span("prefill_forward", {}, { scope: "sglang server", parentSpanId })));
    }
    expect(assembler.pending()).toBe(10);
    expect(assembler.dropped()).toBe(15);
  });
});

describe("spans in front of the engines", () => {
  it("of Dynamo and llm-d give the user's first token", () => {
    const found = createHalfAssembler().add(
      batch(
        span("http-request", { ttft_ms: "118.7", avg_itl_ms: "16", input_tokens: "1720", output_tokens: "101" }),
        span("http-request", { model: "m" }),
        span("forward_request", { "llm_d.pd_proxy.true_ttft_ms": 250 }),
        span("forward_request", {}),
        span("code.loading", {}),
      ),
    );
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject({ role: "frontend", firstToken: 0.1187, decode: 1.6, promptTokens: 1720, outputTokens: 101 });
    expect(found[1]).toMatchObject({ role: "frontend", firstToken: 0.25 });
  });
});
