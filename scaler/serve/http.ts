import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { Log } from "../log.ts";
import type { Reading } from "./read-access.ts";
import type { ServerTls } from "./tls-settings.ts";

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Route = (url: URL) => Reply | Promise<Reply>;
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpOptions {
  /** By exact path. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Asked for every other path; undefined = there is none. */
  readonly fallback: (path: string) => Promise<Reply | undefined>;
  readonly upgrades: ReadonlyMap<string, Upgrade>;
  /** Who may read; default: everybody. */
  readonly admit?: (path: string, request: IncomingMessage) => Reading | Promise<Reading>;
  /** What a POST does; undefined = there is nothing to be written at that path. */
  readonly write?: (path: string, request: IncomingMessage) => Promise<Reply> | undefined;
  readonly log: Log;
  /** Serves https instead of http. */
  readonly tls?: ServerTls | undefined;
}

export const json = (value: unknown, status = 200): Reply => ({
  status,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(value),
});

/** A small server: GET and HEAD of exact paths, POST where `write` takes it, JSON errors. */
export function createHttpServer(options: HttpOptions): Server {
  const limits = { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 16 * 1024 };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(options, request).then((reply) => send(request, response, reply));
  };
  const { tls } = options;
  const server =
    tls === undefined ? createServer(limits, onRequest) : createTlsServer({ ...limits, ...tls, minVersion: "TLSv1.2" }, onRequest);
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const upgrade = options.upgrades.get(parse(request)?.pathname ?? "");
    if (upgrade !== undefined) upgrade(request, socket, head);
    else socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  server.on("clientError", (_, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  return server;
}

async function answer(options: HttpOptions, request: IncomingMessage): Promise<Reply> {
  const url = parse(request);
  if (url === undefined) return json({ error: "not a path" }, 400);
  const route = options.routes.get(url.pathname);
  try {
    const written = request.method === "POST" ? options.write?.(url.pathname, request) : undefined;
    if (written !== undefined) return await written;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return json({ error: `${request.method ?? "this method"} is not allowed here; use GET` }, 405);
    }
    const admitted = await options.admit?.(url.pathname, request);
    if (admitted?.ok === false) return admitted.error;
    const none = json({ error: `there is no ${url.pathname.slice(0, 200)} here` }, 404);
    const reply = route === undefined ? ((await options.fallback(url.pathname)) ?? none) : await route(url);
    return { ...reply, headers: { ...reply.headers, ...admitted?.value } };
  } catch (error) {
    options.log.error({ err: error, path: url.pathname }, "http: a request failed");
    return json({ error: "internal error; see the scaler's log" }, 500);
  }
}

/** Undefined for a request target that is no path. */
function parse(request: IncomingMessage): URL | undefined {
  try {
    return new URL(request.url ?? "/", "http://scaler");
  } catch {
    return undefined;
  }
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const body = typeof reply.body === "string" ? Buffer.from(reply.body) : reply.body;
  response.writeHead(reply.status, {
    "content-type": reply.type,
    "content-length": body.byteLength,
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    // The page's charts set sizes as inline styles; its icon is a data address. Nothing is fetched from elsewhere.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    ...(reply.status === 405 ? { allow: "GET, HEAD" } : {}),
    ...reply.headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
