import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";

export interface ServeOptions {
  metrics(): Promise<string>;
  /** What the agent reads and which pods it cannot place, as JSON. */
  targets(): string;
  /** What the agent still waits for before it is of use; empty = ready. */
  waitingFor(): readonly string[];
  onProblem(message: string): void;
}

const TEXT = "text/plain; charset=utf-8";

/** /metrics, /targets, /healthz and /readyz. Nothing here changes anything, so there is nothing to protect but the figures. */
export function createStatusServer(options: ServeOptions): Server {
  const server = createServer({ connectionsCheckingInterval: 1000 }, (request, response) => {
    answer(request, response, options).catch((cause: unknown) => {
      options.onProblem(cause instanceof Error ? cause.message : String(cause));
      if (response.headersSent) response.destroy();
      else send(response, 500, TEXT, "could not produce the page; see the log\n");
    });
  });
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ServeOptions): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, TEXT, "only GET\n", { allow: "GET, HEAD" });
  switch ((request.url ?? "/").split("?", 1)[0]) {
    case "/metrics":
      return send(response, 200, "text/plain; version=0.0.4; charset=utf-8", await options.metrics());
    case "/targets":
      return send(response, 200, "application/json; charset=utf-8", options.targets());
    case "/healthz":
      return send(response, 200, TEXT, "ok\n");
    case "/readyz": {
      const waiting = options.waitingFor();
      return waiting.length === 0
        ? send(response, 200, TEXT, "ready\n")
        : send(response, 503, TEXT, `not ready\n${waiting.map((w) => `- ${w}\n`).join("")}`);
    }
    default:
      return send(response, 404, TEXT, "not found; there is /metrics, /targets, /healthz and /readyz\n");
  }
}

function send(response: ServerResponse, status: number, type: string, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), ...headers });
  response.end(body);
}
