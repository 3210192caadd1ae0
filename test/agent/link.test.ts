import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "../../agent/log.ts";
import { type Link, createLink } from "../../agent/link.ts";
import { WebSocketServer } from "ws";
import type { NodeReport } from "../../wire/messages.ts";
import { encode } from "../../wire/codec.ts";
import { startScaler, type TestScaler } from "./support/scaler.ts";
import { until } from "./support/until.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Running {
  readonly link: Link;
  readonly counts: { acknowledged: number; dropped: number };
  send(seq: number): void;
}

const boot = "boot-1";
const report = (seq: number): NodeReport => ({
  ...{
    type: "report",
    v: 1,
    node: "n",
    boot,
    seq,
    at: seq,
    interval: 1,
    pools: [],
    gpus: [],
    requests: [],
    requestsDropped: 0,
    sources: [],
  },
  ...{ spans: { received: 0, dropped: 0 }, host: {}, agent: { cpuSeconds: 0, rssBytes: 0, reportsDropped: 0 } },
});

function run(url: string, outboxSize = 100, token?: string): Running {
  const counts = { acknowledged: 0, dropped: 0 };
  const link = createLink({
    ...{ url, token: () => token, node: "n", boot, version: "0", outboxSize, log: createLog("link", "silent"), random: () => 0.5 },
    onAcknowledged: (n) => (counts.acknowledged += n),
    onDropped: (n) => (counts.dropped += n),
  });
  const stop = new AbortController();
  const ended = link.run(stop.signal);
  open.push(() => {
    stop.abort();
    return ended;
  });
  return { link, counts, send: (seq) => link.send({ seq, text: encode(report(seq)) }) };
}

const scaler = async (port?: number, memory?: Pick<TestScaler, "folded">): Promise<TestScaler> => {
  const s = await startScaler(port, memory);
  open.push(() => s.stop());
  return s;
};
const seqs = (reports: readonly NodeReport[]): number[] => reports.map((r) => r.seq);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("the scaler link", () => {
  it("delivers in order and forgets what was acknowledged", async () => {
    const s = await scaler();
    const { link, counts, send } = run(s.url, 100, "secret");
    for (const seq of upTo(5)) send(seq);
    await until("five acks", () => counts.acknowledged === 5);
    expect(seqs(s.received)).toEqual(upTo(5));
    expect(s.authorization).toEqual(["Bearer secret"]);
    expect(link.connected()).toBe(true);
  });

  it("folds every report once over a scaler restart, whatever was under way", async () => {
    const first = await scaler();
    const { counts, send } = run(first.url);
    for (const seq of upTo(3)) send(seq);
    await until("three acks", () => counts.acknowledged === 3);
    first.acknowledging = false;
    for (const seq of [3, 4]) send(seq);
    await until("two more received", () => first.received.length === 5);
    await first.stop();
    for (const seq of [5, 6]) send(seq);
    const second = await scaler(first.port, first);
    await until("all acks", () => counts.acknowledged === 7);
    send(7);
    await until("the next ack", () => counts.acknowledged === 8);
    expect(seqs(second.folded)).toEqual(upTo(8));
    expect(seqs(second.received)).toEqual([3, 4, 5, 6, 7]);
  });

  it("sends nothing again that the scaler had folded when the ack got lost", async () => {
    const s = await scaler();
    const { counts, send } = run(s.url);
    send(0);
    await until("an ack", () => counts.acknowledged === 1);
    s.acknowledging = false;
    send(1);
    await until("received", () => s.received.length === 2);
    // Folded, and then the connection broke before the ack left.
    s.folded.push(report(1));
    s.acknowledging = true;
    s.dropAll();
    await until("acknowledged by the welcome", () => counts.acknowledged === 2);
    send(2);
    await until("the next ack", () => counts.acknowledged === 3);
    expect(seqs(s.received)).toEqual([0, 1, 2]);
  });

  it("keeps the newest reports when the scaler is away too long, and counts the others", async () => {
    const s = await scaler();
    await s.stop();
    const { link, counts, send } = run(s.url, 4);
    for (const seq of upTo(10)) send(seq);
    expect(counts.dropped).toBe(6);
    expect(link.connected()).toBe(false);
    const back = await scaler(s.port);
    await until("four acks", () => counts.acknowledged === 4);
    expect(seqs(back.folded)).toEqual([6, 7, 8, 9]);
  });

  it("leaves a peer that does not speak the protocol, and tries again", async () => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await new Promise((resolve) => server.once("listening", resolve));
    let connections = 0;
    server.on("connection", (socket) => {
      socket.send(["not json", Buffer.alloc(10), JSON.stringify({ type: "welcome", v: 99, seq: 0 })][connections % 3] ?? "");
      connections++;
    });
    open.push(() => {
      for (const client of server.clients) client.terminate();
      return new Promise((resolve) => server.close(resolve));
    });
    const address = server.address();
    const { link, send } = run(`ws://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
    send(0);
    await until("three tries", () => connections >= 3);
    expect(link.connected()).toBe(false);
  });
});
