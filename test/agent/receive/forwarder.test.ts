import { gzipSync } from "node:zlib";
import { Metadata, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createForwardQueue, type Parcel } from "../../../agent/receive/forward-queue.ts";
import { retryAfter } from "../../../agent/receive/forward-http.ts";
import { rejectedSpans, rejectedSpansJson, retryDelay } from "../../../agent/receive/forward-outcome.ts";
import type { Forwarder, ReceivedRequest } from "../../../agent/receive/forwarder.ts";
import { openForwarder, shownAddress } from "../../../agent/receive/open-forwarder.ts";
import { exportResponse, exportResponseJson } from "../../../agent/receive/export-response.ts";
import { type Collector, startCollector } from "../support/collector.ts";
import { until } from "../support/until.ts";

let collector: Collector;
let counts: { forwarded: number; dropped: Map<string, number> };
const open: Forwarder[] = [];

beforeEach(async () => {
  collector = await startCollector();
  counts = { forwarded: 0, dropped: new Map() };
});
afterEach(async () => {
  for (const forwarder of open.splice(0)) await forwarder.close(0);
  await collector.stop();
});

async function forwarder(address: string, queueBytes = 1024 * 1024): Promise<Forwarder> {
  const created = await openForwarder(address, {
    ...{ queueBytes, now: () => 7, random: () => 0.5, firstBackoff: 0.01 },
    forwarded: (spans) => (counts.forwarded += spans),
    dropped: (reason, spans) => counts.dropped.set(reason, (counts.dropped.get(reason) ?? 0) + spans),
  });
  open.push(created);
  return created;
}

const protobuf = (text: string, spans = 1): ReceivedRequest => ({
  message: Buffer.from(text),
  contentType: "application/x-protobuf",
  spans,
});

describe("forwarding over HTTP", () => {
  it("passes bodies on as they came: protobuf, JSON, compressed", async () => {
    const f = await forwarder(collector.httpUrl);
    const wire = gzipSync("third");
    f.offer(protobuf("first", 3));
    f.offer({ message: Buffer.from("{}"), contentType: "application/json", spans: 2 });
    f.offer({ ...protobuf("third"), wire: { body: wire, encoding: "gzip" } });
    await until("three requests", () => collector.received.length === 3);
    const seen = collector.received.map(({ body, headers }) => [
      body.toString("latin1"),
      headers["content-type"],
      headers["content-encoding"],
    ]);
    expect(seen.sort()).toEqual(
      [
        ["first", "application/x-protobuf", undefined],
        ["{}", "application/json", undefined],
        [wire.toString("latin1"), "application/x-protobuf", "gzip"],
      ].sort(),
    );
    await until("the counts", () => counts.forwarded === 6);
    expect(f.health()).toMatchObject({ state: "up", at: 7 });
  });

  it.each([429, 502, 503, 504])("sends again after %d, until it is taken", async (code) => {
    let refusals = 3;
    collector.answerHttp((response) => {
      if (--refusals === 0) collector.answerHttp(undefined);
      response.writeHead(code, { "retry-after": "0" }).end();
    });
    const f = await forwarder(collector.httpUrl);
    f.offer(protobuf("x", 5));
    await until("success", () => counts.forwarded === 5);
    expect(collector.attempts()).toBe(4);
    expect(counts.dropped.size).toBe(0);
  });

  it.each([400, 401, 404, 413, 500])("does not send again after %d, and counts what was lost", async (code) => {
    collector.answerHttp((response) => response.writeHead(code).end());
    const f = await forwarder(collector.httpUrl);
    f.offer(protobuf("x", 5));
    await until("the drop", () => counts.dropped.get("refused") === 5);
    expect(collector.attempts()).toBe(1);
    expect(f.health()).toMatchObject({ state: "down", error: `answered HTTP ${code}` });
    collector.answerHttp(undefined);
    f.offer(protobuf("y", 2));
    await until("the next", () => counts.forwarded === 2);
  });

  it("sends again when the connection broke or nobody listens", async () => {
    let breaks = 2;
    collector.answerHttp((response) => {
      if (--breaks === 0) collector.answerHttp(undefined);
      response.destroy();
    });
    const f = await forwarder(collector.httpUrl);
    f.offer(protobuf("x", 5));
    await until("success", () => counts.forwarded === 5);
    const nobody = await forwarder("http://127.0.0.1:9");
    nobody.offer(protobuf("x", 4));
    await until("a failure", () => nobody.health().state === "down");
    expect(nobody.queuedBytes()).toBeGreaterThanOrEqual(0);
    await nobody.close(0);
    expect(counts.dropped.get("shutdown")).toBe(4);
  });

  it("counts spans the collector rejected in a partial success", async () => {
    const json = exportResponseJson(2, "too old");
    collector.answerHttp((response, { headers }) => {
      const isJson = headers["content-type"] === "application/json";
      response.writeHead(200, { "content-type": headers["content-type"] }).end(isJson ? json : exportResponse(1, "too old"));
    });
    const f = await forwarder(collector.httpUrl);
    f.offer(protobuf("x", 5));
    f.offer({ message: Buffer.from("{}"), contentType: "application/json", spans: 5 });
    await until("both", () => counts.forwarded === 7);
    expect(counts.dropped).toEqual(new Map([["partial", 3]]));
  });

  it("keeps a bounded queue for a collector that is away: the oldest leave, counted, and the newest arrive", async () => {
    collector.answerHttp((response) => response.writeHead(503).end());
    const f = await forwarder(collector.httpUrl, 100_000);
    for (let i = 0; i < 1000; i++) f.offer(protobuf(`${i}`.padStart(1000, "0")));
    expect(f.queuedBytes()).toBeLessThanOrEqual(100_000);
    expect(counts.dropped.get("queue-full")).toBeGreaterThan(900);
    collector.answerHttp(undefined);
    await until("all settled", () => counts.forwarded + (counts.dropped.get("queue-full") ?? 0) === 1000);
    expect(collector.received.some((r) => r.body.toString().endsWith("999"))).toBe(true);
    expect(f.queuedBytes()).toBe(0);
  });

  it("flushes on close, and counts what the deadline left", async () => {
    const f = await forwarder(collector.httpUrl);
    for (let i = 0; i < 50; i++) f.offer(protobuf(`${i}`));
    await f.close(10);
    expect([counts.forwarded, counts.dropped.size]).toEqual([50, 0]);
    f.offer(protobuf("late"));
    expect(counts.dropped.get("shutdown")).toBe(1);
  });
});

describe("forwarding over gRPC", () => {
  it("passes messages on as they came, decompressed ones too, and cannot pass JSON", async () => {
    const f = await forwarder(collector.grpcUrl);
    f.offer({ ...protobuf("first", 3), wire: { body: gzipSync("first"), encoding: "gzip" } });
    f.offer({ message: Buffer.from("{}"), contentType: "application/json", spans: 2 });
    await until("the message", () => counts.forwarded === 3);
    expect(collector.received.map((r) => r.body.toString())).toEqual(["first"]);
    expect(counts.dropped).toEqual(new Map([["unsupported", 2]]));
  });

  const retryInfo = (): Metadata => {
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", statusWithRetry(0, 1_000_000));
    return metadata;
  };
  it.each<[string, status, boolean, (() => Metadata)?]>([
    ["UNAVAILABLE", status.UNAVAILABLE, true],
    ["DEADLINE_EXCEEDED", status.DEADLINE_EXCEEDED, true],
    ["RESOURCE_EXHAUSTED with a delay", status.RESOURCE_EXHAUSTED, true, retryInfo],
    ["RESOURCE_EXHAUSTED", status.RESOURCE_EXHAUSTED, false],
    ["INVALID_ARGUMENT", status.INVALID_ARGUMENT, false],
    ["UNAUTHENTICATED", status.UNAUTHENTICATED, false],
  ])("after %s (%d) sends again: %s", async (_, code, again, metadata) => {
    collector.answerGrpc({ code, details: "no", ...(metadata && { metadata: metadata() }) });
    const f = await forwarder(collector.grpcUrl);
    f.offer(protobuf("x", 5));
    await until("an attempt", () => f.health().state === "down");
    collector.answerGrpc(undefined);
    if (again) await until("success", () => counts.forwarded === 5);
    else expect(counts.dropped).toEqual(new Map([["refused", 5]]));
  });
});

/** google.rpc.Status with one RetryInfo detail, as a collector sends it. */
function statusWithRetry(seconds: number, nanos: number): Buffer {
  const field = (tag: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([tag, content.length]), content]);
  const nanoBytes = [0, 7, 14, 21, 28].map((shift, i) => ((nanos >>> shift) & 127) | (i < 4 ? 128 : 0));
  const duration = Buffer.from([0x08, seconds, 0x10, ...nanoBytes]);
  const any = Buffer.concat([field(0x0a, Buffer.from("type.googleapis.com/google.rpc.RetryInfo")), field(0x12, field(0x0a, duration))]);
  return Buffer.concat([Buffer.from([0x08, 8]), field(0x1a, any)]);
}

describe("answers", () => {
  it("are read as the specification has them", () => {
    expect(retryDelay(statusWithRetry(3, 500_000_000))).toBe(3.5);
    expect(retryDelay(Buffer.from([0x08, 8]))).toBeUndefined();
    expect(rejectedSpans(exportResponse(300, "m"))).toBe(300);
    expect(rejectedSpansJson(exportResponseJson(300, "m"))).toBe(300);
    expect([retryAfter("7", 0), retryAfter("Thu, 01 Jan 1970 00:00:09 GMT", 2000), retryAfter("soon", 0)]).toEqual([7, 7, undefined]);
    expect(shownAddress("http://user:secret@c:4318/v1/traces")).toBe("http://c:4318/v1/traces");
  });

  it("of any bytes are a number or nothing, never an exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(rejectedSpans(bytes)).toBeGreaterThanOrEqual(0);
        expect(["number", "undefined"]).toContain(typeof retryDelay(bytes));
      }),
    );
  });
});

describe("the queue", () => {
  it("loses nothing uncounted and never exceeds its bytes, whatever is done to it", () => {
    const step = fc.oneof(
      fc.nat(3000).map((size) => ({ op: "push", size })),
      fc.constantFrom({ op: "shift" }, { op: "back" }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = createForwardQueue(10_000);
        const taken: Parcel[] = [];
        let [pushed, gone] = [0, 0];
        for (const s of steps) {
          if ("size" in s) {
            const parcel = { body: Buffer.alloc(s.size), contentType: "x", spans: 1, since: pushed++ };
            gone += queue.push(parcel).length;
          } else if (s.op === "shift") {
            const parcel = queue.shift();
            if (parcel !== undefined) taken.push(parcel);
          } else {
            const parcel = taken.pop();
            if (parcel !== undefined) gone += queue.putBack(parcel).length;
          }
          expect(queue.bytes()).toBeLessThanOrEqual(10_000);
          expect(queue.size() + gone + taken.length).toBe(pushed);
        }
        expect(queue.clear().length + gone + taken.length).toBe(pushed);
        expect(queue.bytes()).toBe(0);
      }),
    );
  });
});
