import { connect as connectHttp2 } from "node:http2";
import { type Socket, connect } from "node:net";
import { gzipSync } from "node:zlib";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { otlpBatch } from "../../bench/otlp-batch.ts";
import { engineTarget } from "../support/agent.ts";
import { until } from "../support/until.ts";
import { type AgentChild, spawnAgent, valueOf } from "./child.ts";

const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const targets = { node: "node-a", engines: [engineTarget("http://127.0.0.1:9/metrics")], gpus: [] };

let agent: AgentChild;
const sockets: Socket[] = [];
beforeEach(async () => {
  agent = await spawnAgent(96, targets, ["--scaler-url", "ws://127.0.0.1:9/agents", "--max-spans-per-second", "1000000"]);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  // It still stops as it should: with code 0.
  expect(await agent.stop()).toBe(0);
});

async function post(body: Buffer | string, headers: Record<string, string>): Promise<number> {
  const bytes = typeof body === "string" ? body : new Uint8Array(body);
  const url = `http://127.0.0.1:${agent.ports.otlpHttp}/v1/traces`;
  const answer = await fetch(url, { method: "POST", body: bytes, headers });
  await answer.arrayBuffer();
  return answer.status;
}

function exportGrpc(body: Buffer): Promise<status> {
  return new Promise((resolve) => {
    const client = new Client(`127.0.0.1:${agent.ports.otlpGrpc}`, credentials.createInsecure());
    const bytes = (b: Buffer): Buffer => b;
    client.makeUnaryRequest(EXPORT, bytes, bytes, body, (error) => {
      client.close();
      resolve(error === null ? status.OK : error.code);
    });
  });
}

const dropped = async (reason: string): Promise<number> =>
  valueOf(await agent.metrics(), `fulcrum_spans_dropped_total{reason="${reason}"}`) ?? 0;

async function open(port: number, first: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => undefined).resume();
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  socket.write(first);
  return socket;
}

async function stillGood(): Promise<void> {
  const batch = await otlpBatch(10, "decode-0");
  expect(await post(batch, { "content-type": "application/x-protobuf" })).toBe(200);
  expect(await exportGrpc(batch)).toBe(status.OK);
  expect(agent.exit()).toBeUndefined();
  expect(agent.bugs()).toEqual([]);
}

const json = { "content-type": "application/json" };
const protobuf = { "content-type": "application/x-protobuf" };
const span = { traceId: "6590efa1c873a2c85dafaea93baa2dde", spanId: "90998387df8b04bb", startTimeUnixNano: "1", endTimeUnixNano: "2" };
const spans = (list: unknown): string => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: list }] }] });

describe("an agent among hostile senders", () => {
  it("refuses or takes each body, counts what it drops, and does not grow", async () => {
    const real = await otlpBatch(500, "decode-0");
    const bodies: readonly (readonly [number, Buffer | string, Record<string, string>])[] = [
      [400, real.subarray(0, real.length - 7), protobuf],
      [400, Buffer.alloc(1000, 0xff), protobuf],
      [413, gzipSync(Buffer.alloc(200_000_000)), { ...protobuf, "content-encoding": "gzip" }],
      [400, gzipSync(real).subarray(0, 100), { ...protobuf, "content-encoding": "gzip" }],
      [413, Buffer.alloc(9_000_000), protobuf],
      [400, "[".repeat(1_000_000), json],
      [200, `{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`, json],
      [400, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), json],
      [200, spans("none"), json],
      [200, spans([null, 1, "x", [], { ...span, traceId: 5 }, { ...span, startTimeUnixNano: {} }]), json],
      [200, spans([{ ...span, name: "y".repeat(5_000_000) }]), json],
      [200, spans([{ ...span, attributes: Array.from({ length: 100_000 }, (_, i) => ({ key: `k${i}`, value: { intValue: i } })) }]), json],
      [200, spans(Array.from({ length: 40_000 }, () => span)), json],
      [
        200,
        `{"__proto__":{"x":1},"resourceSpans":[{"constructor":{"prototype":1},"resource":{"attributes":[{"key":"__proto__"}]}}]}`,
        json,
      ],
    ];
    for (let round = 0; round < 4; round++)
      for (const [expected, body, headers] of bodies)
        expect([expected, body.slice(0, 40)]).toEqual([await post(body, headers), body.slice(0, 40)]);
    expect(await exportGrpc(Buffer.alloc(9_000_000))).toBe(status.RESOURCE_EXHAUSTED);
    expect(await exportGrpc(Buffer.alloc(1000, 0xff))).toBe(status.INVALID_ARGUMENT);
    await stillGood();
    // Truncated, garbage, cut gzip, nesting, bad UTF-8: five a round; and one over gRPC.
    expect(await dropped("malformed")).toBe(4 * 5 + 1);
    expect(await dropped("too-large")).toBe(4 * 2);
    expect(await dropped("broken-off")).toBe(1);
    // Over the 20,000 of one request, and the six that are no spans.
    expect(await dropped("limit")).toBe(4 * (20_000 + 6));
    expect(agent.rssMiB()).toBeLessThan(400);
  });

  it("outlives senders that never finish: slow headers, slow bodies, silent and idle connections, endless calls", async () => {
    const { otlpHttp, otlpGrpc } = agent.ports;
    const head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    // More bodies than are read at once: the rest is told to come back.
    for (let i = 0; i < 24; i++) await open(otlpHttp, `${head}Content-Length: 100000\r\n\r\n{`);
    for (let i = 0; i < 20; i++) await open(otlpHttp, head);
    for (let i = 0; i < 20; i++) await open(otlpHttp, "");
    for (let i = 0; i < 20; i++) await open(otlpGrpc, "");
    const http2 = connectHttp2(`http://127.0.0.1:${otlpGrpc}`);
    http2.on("error", () => undefined);
    const calls = Array.from({ length: 24 }, () => {
      const headers = { ":method": "POST", ":path": EXPORT, "content-type": "application/grpc", te: "trailers" };
      const call = http2.request(headers, { endStream: false });
      call.on("error", () => undefined).resume();
      // A message of 1000 bytes that never comes.
      call.write(Buffer.from([0, 0, 0, 3, 232, 1]));
      return call;
    });
    // The agent's own page answers all the while.
    await until("the 8 bodies and 8 calls over the limit", async () => (await dropped("overload")) === 16);
    const batch = await otlpBatch(1, "decode-0");
    await until("room over HTTP", async () => (await post(batch, protobuf)) === 200, 40_000);
    await until("room over gRPC", async () => (await exportGrpc(batch)) === status.OK, 40_000);
    await until("16 bodies, 20 headers and 16 calls to be given up", async () => (await dropped("broken-off")) >= 16 + 20 + 16, 40_000);
    for (const call of calls) call.close();
    http2.destroy();
    await stillGood();
    expect(agent.rssMiB()).toBeLessThan(300);
  });

  it("takes what is left of a thousand connections that come at once", async () => {
    const all = await Promise.allSettled(Array.from({ length: 1000 }, () => open(agent.ports.otlpHttp, "")));
    expect(all.length).toBe(1000);
    for (const socket of sockets.splice(0)) socket.resetAndDestroy();
    await until("room again", async () => (await post(await otlpBatch(1, "decode-0"), protobuf).catch(() => 0)) === 200);
    await stillGood();
  });
});
