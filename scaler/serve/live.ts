import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { PageMessage } from "../../wire/page.ts";
import { sameOrigin } from "./same-origin.ts";

/** The page's feed. A browser that reads slower than we write skips messages, and gets a fresh snapshot when it has caught up. */
export interface LiveFeed {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  broadcast(message: PageMessage): void;
  clients(): number;
  /** Messages that slow clients did not get. */
  skipped(): number;
  close(): void;
}

export interface LiveOptions {
  readonly snapshot: () => PageMessage;
  readonly maxClients?: number;
  /** Bytes that may wait for one client. */
  readonly maxBuffered?: number;
}

export function createLiveFeed(options: LiveOptions): LiveFeed {
  // Browsers only listen: anything longer than a close frame is not for us.
  const server = new WebSocketServer({ noServer: true, maxPayload: 1024, perMessageDeflate: false });
  const behind = new Map<WebSocket, boolean>();
  const maxClients = options.maxClients ?? 100;
  const maxBuffered = options.maxBuffered ?? 1024 * 1024;
  let skipped = 0;

  server.on("connection", (socket: WebSocket) => {
    behind.set(socket, false);
    socket.on("error", () => socket.terminate());
    socket.on("close", () => behind.delete(socket));
    socket.send(JSON.stringify(options.snapshot()));
  });

  function send(socket: WebSocket, text: string): void {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > maxBuffered) {
      skipped++;
      behind.set(socket, true);
    } else if (behind.get(socket) === true) {
      behind.set(socket, false);
      socket.send(JSON.stringify(options.snapshot()));
    } else socket.send(text);
  }

  return {
    handleUpgrade(request, socket, head) {
      if (!sameOrigin(request.headers)) return refuse(socket, "403 Forbidden");
      if (behind.size >= maxClients) return refuse(socket, "503 Service Unavailable");
      server.handleUpgrade(request, socket, head, (ws) => server.emit("connection", ws, request));
    },
    broadcast(message) {
      if (behind.size === 0) return;
      const text = JSON.stringify(message);
      for (const socket of behind.keys()) send(socket, text);
    },
    clients: () => behind.size,
    skipped: () => skipped,
    close() {
      for (const socket of behind.keys()) socket.close(1001, "scaler stops");
      server.close();
      // A peer that does not answer the close must not keep the process.
      setTimeout(() => [...behind.keys()].forEach((socket) => socket.terminate()), 500).unref();
    },
  };
}

const refuse = (socket: Duplex, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
};
