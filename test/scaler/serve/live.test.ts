import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createLiveFeed, type LiveFeed, type LiveOptions } from "../../../scaler/serve/live.ts";
import type { PageMessage } from "../../../wire/page.ts";
import { until } from "../support/wait.ts";

let http: Server | undefined;
let feed: LiveFeed | undefined;

const state = { at: 1, version: "0", policies: [], agents: [], leader: null, problems: [], links: [], notices: [] };
const snapshot: PageMessage = { type: "snapshot", state, history: [], decisions: [] };
/** A message of about this many bytes. */
const bulky = (bytes: number): PageMessage => ({
  type: "snapshot",
  state: { ...state, version: "x".repeat(bytes) },
  history: [],
  decisions: [],
});

async function start(options: Partial<LiveOptions> = {}): Promise<{ readonly url: string; readonly feed: LiveFeed }> {
  const live = createLiveFeed({ snapshot: () => snapshot, ...options });
  const server = createServer();
  server.on("upgrade", live.handleUpgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  http = server;
  feed = live;
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/live`, feed: live };
}

afterEach(async () => {
  feed?.close();
  http?.closeAllConnections();
  await new Promise((resolve) => (http === undefined ? resolve(undefined) : http.close(resolve)));
});

async function client(url: string, origin?: string) {
  const socket = new WebSocket(url, origin === undefined ? {} : { origin });
  const messages: PageMessage[] = [];
  socket.on("message", (data) => messages.push(JSON.parse(String(data)) as PageMessage));
  socket.on("error", () => undefined);
  await new Promise((resolve) => {
    socket.on("open", resolve);
    socket.on("close", resolve);
  });
  return { socket, messages };
}

describe("the live feed", () => {
  test("everyone gets a snapshot first and then what is broadcast", async () => {
    const { url, feed: live } = await start();
    const [a, b] = [await client(url), await client(url)];
    await until("both snapshots", () => (a.messages.length + b.messages.length === 2 ? true : undefined));
    live.broadcast({ type: "decision", decision: { policy: "p", outcome: "held", decision: {} as never } });
    await until("both messages", () => (a.messages.length + b.messages.length === 4 ? true : undefined));
    expect(a.messages.map((m) => m.type)).toEqual(["snapshot", "decision"]);
    a.socket.close();
    await until("one to be gone", () => (live.clients() === 1 ? true : undefined));
  });

  test("a client that does not read skips messages instead of filling memory, and catches up with a snapshot", async () => {
    const { url, feed: live } = await start({ maxBuffered: 100_000 });
    const slow = await client(url);
    await until("its snapshot", () => slow.messages[0]);
    slow.socket.pause();
    const big = bulky(1_000_000);
    // Kernel buffers take the first ones; then they wait in ours, and no more are added.
    await until("the first skip", async () => {
      live.broadcast(big);
      await new Promise((resolve) => setImmediate(resolve));
      return live.skipped() > 0 ? true : undefined;
    });
    slow.socket.resume();
    const before = slow.messages.length;
    const small = { type: "frame", frame: {} as never, state } as const;
    await until("a fresh snapshot", () => {
      live.broadcast(small);
      return slow.messages.slice(before).find((m) => m.type === "snapshot" && m.state.version === "0");
    });
    expect(live.clients()).toBe(1);
  });

  test("clients are bounded, and pages of other origins are turned away", async () => {
    const { url, feed: live } = await start({ maxClients: 1 });
    const foreign = await client(url, "http://elsewhere.example");
    expect(foreign.socket.readyState).toBe(WebSocket.CLOSED);
    const own = await client(url, url.replace("ws:", "http:").replace("/live", ""));
    expect(own.socket.readyState).toBe(WebSocket.OPEN);
    const second = await client(url);
    expect(second.socket.readyState).toBe(WebSocket.CLOSED);
    expect(live.clients()).toBe(1);
  });

  test("a client that sends more than a browser would is closed, not read", async () => {
    const { url, feed: live } = await start();
    const loud = await client(url);
    loud.socket.send("x".repeat(10_000));
    await once(loud.socket, "close");
    await until("its end", () => (live.clients() === 0 ? true : undefined));
    expect(live.clients()).toBe(0);
  });
});
