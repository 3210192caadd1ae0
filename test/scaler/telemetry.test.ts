import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { decodeTraces } from "../../core/otlp/protobuf.ts";
import type { Span } from "../../core/otlp/trace.ts";
import { createTelemetry, type Telemetry } from "../../scaler/telemetry.ts";

let telemetry: Telemetry | undefined;
let collector: Server | undefined;
afterEach(async () => {
  await telemetry?.close();
  telemetry = undefined;
  collector?.closeAllConnections();
  collector?.close();
});

/** A real OTLP/HTTP receiver on loopback. */
async function startCollector(): Promise<{ readonly url: string; readonly spans: Span[]; readonly paths: Set<string> }> {
  const spans: Span[] = [];
  const paths = new Set<string>();
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    paths.add(request.url ?? "");
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const batch = decodeTraces(Buffer.concat(chunks));
      if (batch.ok) spans.push(...batch.value.resources.flatMap((r) => r.spans));
      response.end();
    });
  });
  await new Promise<void>((resolve) => collector?.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`, spans, paths };
}

describe("the scaler watching itself", () => {
  test("one trace per tick with a child per stage, sent over OTLP; a failed stage is marked", async () => {
    const { url, spans, paths } = await startCollector();
    const own = createTelemetry({ endpoint: url, version: "0" });
    telemetry = own;
    await own.stage("tick", { "fulcrum.policy": "demo/test" }, async () => {
      await own.stage("intake", {}, async () => undefined);
      expect(own.compute("learn", () => 3)).toBe(3);
      expect(own.compute("decide", () => "plan")).toBe("plan");
      own.compute("guard", () => undefined);
      await own.stage("act", {}, async () => Promise.reject(new Error("no"))).catch(() => undefined);
    });
    await own.close();
    telemetry = undefined;
    expect([...paths]).toEqual(["/v1/traces"]);
    const tick = spans.find((s) => s.name === "tick");
    expect(spans.map((s) => s.name).sort()).toEqual(["act", "decide", "guard", "intake", "learn", "tick"]);
    for (const child of spans.filter((s) => s !== tick)) {
      expect([child.traceId, child.parentSpanId]).toEqual([tick?.traceId, tick?.spanId]);
    }
    expect(spans.filter((s) => s.error).map((s) => s.name)).toEqual(["act"]);
  });

  test("without an endpoint nothing is sent, and durations are on the page all the same", async () => {
    telemetry = createTelemetry({ endpoint: undefined, version: "0" });
    expect(await telemetry.stage("journal", {}, async () => 7)).toBe(7);
    const page = await telemetry.page();
    expect(page).toContain('fulcrum_tick_duration_seconds_count{stage="journal"} 1');
    expect(page).toMatch(/^fulcrum_process_resident_memory_bytes [1-9]/m);
    expect(page).not.toContain("target_info");
  });

  test("a second one after the first was closed starts from nothing", async () => {
    const first = createTelemetry({ endpoint: undefined, version: "0" });
    await first.stage("act", {}, async () => undefined);
    await first.close();
    telemetry = createTelemetry({ endpoint: undefined, version: "0" });
    await telemetry.stage("intake", {}, async () => undefined);
    const page = await telemetry.page();
    expect(page).toContain('{stage="intake"} 1');
    expect(page).not.toContain('stage="act"');
  });
});
