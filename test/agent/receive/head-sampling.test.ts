import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHeadSampler } from "../../../agent/receive/head-sampling.ts";
import { createSpanIntake } from "../../../agent/receive/span-intake.ts";
import { decodeTracesJson } from "../../../core/otlp/json.ts";
import { decodeTraces } from "../../../core/otlp/protobuf.ts";
import { exportRequest } from "../../core/otlp/export-request.ts";
import { engineTarget } from "../support/agent.ts";

const traceId = (n: number): string => createHash("md5").update(String(n)).digest("hex");

/** The sampler once it has settled on the share for a steady rate. */
function settled(perSecond: number, rate: number): ReturnType<typeof createHeadSampler> {
  const sampler = createHeadSampler(perSecond);
  sampler.count(rate, 0);
  sampler.turn(1);
  return sampler;
}

describe("the head sampler", () => {
  it("keeps everything up to the rate", () => {
    const sampler = settled(1000, 1000);
    expect(sampler.keep()).toBeUndefined();
    expect(sampler.share()).toBe(1);
  });

  it("keeps its share of traces, near the limit whatever the rate", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1001, max: 500_000 }), (rate) => {
        const share = settled(1000, rate).share();
        expect(rate * share).toBeLessThanOrEqual(1000);
        expect(rate * share).toBeGreaterThan(450);
        expect(Math.log2(share) % 1).toBe(-0);
      }),
    );
    const keep = settled(1000, 4000).keep();
    const kept = Array.from({ length: 20_000 }, (_, i) => traceId(i)).filter((id) => keep?.(id));
    expect(kept.length / 20_000).toBeCloseTo(0.25, 1);
  });

  it("nests: what a smaller share keeps, a larger one keeps", () => {
    const [half, eighth] = [settled(1000, 2000).keep(), settled(1000, 8000).keep()];
    const ids = Array.from({ length: 5000 }, (_, i) => traceId(i));
    const small = ids.filter((id) => eighth?.(id));
    expect(small.length).toBeGreaterThan(400);
    expect(small.every((id) => half?.(id))).toBe(true);
  });

  it("still thins out what a sampler upstream chose by the id's last digits", () => {
    const chosen = Array.from({ length: 200_000 }, (_, i) => traceId(i)).filter((id) => id.slice(18, 20) >= "e0");
    const keep = settled(1000, 4000).keep();
    const share = chosen.filter((id) => keep?.(id)).length / chosen.length;
    expect(share).toBeGreaterThan(0.22);
    expect(share).toBeLessThan(0.28);
  });

  it("halves within an interval for each second's worth it kept, and says afterwards what share it was", () => {
    const sampler = createHeadSampler(100);
    sampler.count(250, 0);
    expect(sampler.share()).toBe(0.25);
    sampler.count(25, 75);
    expect(sampler.turn(1)).toBe(275 / 350);
    expect(sampler.turn(1)).toBe(1);
    expect(sampler.share()).toBe(1);
  });
});

describe("an intake over its rate", () => {
  it.each(["protobuf", "json"] as const)("counts every span of a %s body and looks into whole traces only", async (format) => {
    const { proto, json, spans } = await exportRequest();
    const decode = (keep?: (id: string) => boolean) =>
      format === "json" ? decodeTracesJson(json, undefined, keep) : decodeTraces(proto, undefined, keep);
    const none = decode(() => false);
    expect(none).toMatchObject({ ok: true, value: { spans: 0, dropped: 0, sampledOut: spans.length } });
    const [trace] = spans.map((s) => s.spanContext().traceId);
    const one = decode((id) => id === trace);
    const own = spans.filter((s) => s.spanContext().traceId === trace).length;
    expect(one).toMatchObject({ ok: true, value: { spans: own, sampledOut: spans.length - own } });
  });

  it("keeps counts exact and sketches in proportion, and reports the share", () => {
    const counted = { received: 0, sampledOut: 0 };
    let clock = 100;
    const intake = createSpanIntake({
      targets: () => [engineTarget("http://127.0.0.1:9/metrics")],
      now: () => clock,
      maxSpansPerSecond: 500,
      received: (_, n) => (counted.received += n),
      sampledOut: (n) => (counted.sampledOut += n),
      dropped: () => undefined,
    });
    let id = 0;
    const second = (): void => {
      for (let batch = 0; batch < 80; batch++) {
        const resource = { attributes: [{ key: "service.instance.id", value: { stringValue: "decode-0" } }] };
        const spans = Array.from({ length: 50 }, () => ({
          ...{ traceId: traceId(id++), spanId: "90998387df8b04bb", name: "llm_request" },
          ...{ startTimeUnixNano: "1787400000000000000", endTimeUnixNano: "1787400001500000000" },
        }));
        const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
        const decoded = decodeTracesJson(body, undefined, intake.keep());
        if (!decoded.ok) throw new Error(decoded.error.message);
        intake.accept(decoded.value, "http");
      }
      clock++;
    };
    second();
    intake.take();
    second();
    const taken = intake.take();
    expect(taken.received).toBe(4000);
    expect(taken.requests.length).toBeLessThan(650);
    expect(taken.requests.length).toBeGreaterThan(350);
    expect(taken.sampled).toBe(taken.requests.length / 4000);
    expect(counted.received).toBe(8000);
    const e2e = taken.pools.get("ns/decode")?.e2e;
    const estimated = e2e?.kind === "sketch" ? e2e.sketch.count : 0;
    expect(Math.abs(estimated / 4000 - 1)).toBeLessThan(0.25);
    expect(counted.sampledOut).toBeGreaterThan(4000 - 650);
  });
});
