import { build } from "esbuild";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type WebSocket, WebSocketServer } from "ws";
import type { PageMessage } from "../../wire/page.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles the page as build.mjs does, into a directory of its own. */
export async function bundlePage(): Promise<{ readonly dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), "fulcrum-page-"));
  await build({
    entryPoints: { page: join(root, "web/main.tsx") },
    outdir: dir,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
    logLevel: "warning",
  });
  await copyFile(join(root, "web/index.html"), join(dir, "index.html"));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

const TYPES: Record<string, string> = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css" };
/** The strictest policy the page must live under: nothing inline, nothing from elsewhere. */
export const PAGE_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

/** A real HTTP and WebSocket server for the page, fed by a test instead of a scaler. */
export class PageServer {
  readonly #http: Server;
  readonly #ws: WebSocketServer;
  /** Every path asked for that is not there. */
  readonly missing: string[] = [];
  port = 0;
  onConnect: (send: (message: PageMessage) => void) => void = () => undefined;

  constructor(dir: string) {
    this.#http = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://page").pathname;
      const name = path === "/" ? "index.html" : path.slice(1);
      const type = TYPES[name.split(".").at(-1) ?? ""];
      if (type === undefined || name.includes("/")) {
        this.missing.push(path);
        response.writeHead(404).end();
        return;
      }
      readFile(join(dir, name)).then(
        (body) => response.writeHead(200, { "content-type": type, "content-security-policy": PAGE_CSP }).end(body),
        () => {
          this.missing.push(path);
          response.writeHead(404).end();
        },
      );
    });
    this.#ws = new WebSocketServer({ server: this.#http, path: "/live" });
    this.#ws.on("connection", (socket: WebSocket) => this.onConnect((m) => socket.send(JSON.stringify(m))));
  }

  /** Port 0 picks a free one; a restarted server asks for the port of the one before. */
  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen(port, "127.0.0.1", resolve);
    });
    this.port = (this.#http.address() as AddressInfo).port;
    return this.port;
  }

  say(message: PageMessage): void {
    this.sayText(JSON.stringify(message));
  }

  sayText(text: string): void {
    for (const socket of this.#ws.clients) socket.send(text);
  }

  async close(): Promise<void> {
    for (const socket of this.#ws.clients) socket.terminate();
    this.#ws.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}
