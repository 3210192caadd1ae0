import { createServer, type Server } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { createPageFetcher, type PageFetcher } from "../../../agent/scrape/fetch.ts";
import { type PageServer, servePage } from "../support/pages.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});
const page = async (text = "up 1\n"): Promise<PageServer> => {
  const server = await servePage(text);
  open.push(server);
  return server;
};
const fetcher = (timeout = 5, maxBytes = 10_000): PageFetcher => {
  const f = createPageFetcher(timeout, maxBytes);
  open.push(f);
  return f;
};
const raw = async (answer: string): Promise<string> => {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(server);
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/metrics`;
};

describe("fetching a page", () => {
  it("reads plain and gzip bodies and counts what crossed the wire", async () => {
    const server = await page("up 1\n");
    const f = fetcher();
    expect(await f.fetch(server.url)).toEqual({ ok: true, value: { text: "up 1\n", format: "prometheus", bytes: 5 } });
    const body = gzipSync("up 1\n".repeat(500));
    server.show((_, response) => {
      response.setHeader("content-encoding", "gzip").setHeader("content-type", "application/openmetrics-text; version=1.0.0").end(body);
    });
    expect(await f.fetch(server.url)).toEqual({
      ok: true,
      value: { text: "up 1\n".repeat(500), format: "openmetrics", bytes: body.length },
    });
  });

  it("refuses a page above the limit, sent plainly or as a gzip bomb", async () => {
    const server = await page("x".repeat(10_001));
    expect(await fetcher().fetch(server.url)).toEqual({ ok: false, error: "the page is larger than 10000 bytes (maxPageBytes)" });
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    server.show((_, response) => response.setHeader("content-encoding", "gzip").end(bomb));
    expect(await fetcher().fetch(server.url)).toEqual({ ok: false, error: "the page is larger than 10000 bytes (maxPageBytes)" });
  });

  it("stops reading an endless page", async () => {
    const server = await page();
    let ended = false;
    server.show((_, response) => {
      const drip = setInterval(() => response.write("x".repeat(1000)), 1);
      response.on("close", () => {
        ended = true;
        clearInterval(drip);
      });
    });
    expect((await fetcher().fetch(server.url)).ok).toBe(false);
    await expect.poll(() => ended).toBe(true);
  });

  it("gives a target that drips its page only the one deadline", async () => {
    const server = await page();
    server.show((_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write("#"), 20);
      response.on("close", () => clearInterval(drip));
    });
    expect(await fetcher(0.3).fetch(server.url)).toEqual({ ok: false, error: "no complete answer within 0.3 s" });
  });

  it.each([
    ["broken gzip", (): Buffer => Buffer.from("this is not gzip")],
    ["a gzip cut short", (): Buffer => gzipSync("up 1\n".repeat(100)).subarray(0, 20)],
  ])("turns %s into an error", async (_, body) => {
    const server = await page();
    server.show((_request, response) => response.setHeader("content-encoding", "gzip").end(body()));
    expect((await fetcher().fetch(server.url)).ok).toBe(false);
  });

  it.each([
    ["a body shorter than announced", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nup 1\n"],
    ["something that is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["an empty answer", ""],
    ["an encoding nobody asked for", "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 1\r\n\r\nx"],
    ["a redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"],
  ])("turns %s into an error", async (_, answer) => {
    const result = await fetcher().fetch(await raw(answer));
    expect(result.ok ? "" : result.error).not.toBe("");
  });

  it("keeps its connection, and survives the server closing it", async () => {
    const server = await page();
    const f = fetcher();
    const sockets = new Set<unknown>();
    server.show((request, response) => {
      sockets.add(request.socket);
      response.end("up 1\n");
    });
    for (let i = 0; i < 3; i++) expect((await f.fetch(server.url)).ok).toBe(true);
    expect(sockets.size).toBe(1);
    server.show((request, response) => {
      response.end("up 1\n", () => request.socket.destroy());
    });
    for (let i = 0; i < 3; i++) expect((await f.fetch(server.url)).ok).toBe(true);
  });
});
