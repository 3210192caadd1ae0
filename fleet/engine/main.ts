import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { EnginePage } from "./engine-page.ts";
import type { EngineStart, FromEngine, ToEngine } from "./messages.ts";
import { sglangPage } from "./sglang-page.ts";
import { createSpanSender, type SpanSender } from "./spans.ts";
import { vllmPage } from "./vllm-page.ts";

/**
 * One simulated engine: a process of its own, with its own port, counters from zero, and an end that a
 * `kill -9` can bring. The fleet tells it over the child-process channel what happened on its replica.
 */
interface Running {
  readonly page: EnginePage;
  readonly spans: SpanSender;
  readonly start: EngineStart;
  phase: "starting" | "ready" | "draining";
}

/** Exporters get this long to send what they hold before the process ends. */
const CLOSE_LIMIT_MS = 2_500;
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

let running: Running | undefined;

function begin(start: EngineStart): void {
  const context = { start, pid: process.pid, startedAt: Date.now() / 1000 - process.uptime(), usage };
  const page = start.engine === "vllm" ? vllmPage(context) : sglangPage(context);
  running = { page, spans: createSpanSender(start, process.pid), start, phase: "starting" };
  const server = createServer((request, response) => answer(request, response));
  server.on("error", (error) => tell({ type: "failed", message: error.message }));
  server.listen(0, start.host, () => {
    const address = server.address();
    if (address !== null && typeof address === "object") tell({ type: "listening", port: address.port });
  });
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? "").split("?")[0];
  if (running === undefined || request.method !== "GET") return void response.writeHead(405).end();
  if (path === "/metrics") {
    return void response.writeHead(200, { "content-type": CONTENT_TYPE }).end(running.page.render());
  }
  if (path === "/health") return void response.writeHead(healthStatus(running)).end();
  response.writeHead(404).end();
}

/** vLLM's /health only knows a dead engine and stays 200 while draining; SGLang's turns 503 at once. */
function healthStatus({ phase, start }: Running): number {
  if (phase === "starting") return 503;
  return phase === "draining" && start.engine === "sglang" ? 503 : 200;
}

async function end(lingerSeconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, lingerSeconds * 1000));
  const limit = new Promise((resolve) => setTimeout(resolve, CLOSE_LIMIT_MS));
  await Promise.race([running?.spans.close(), limit]);
  process.exit(0);
}

function usage(): { readonly cpuSeconds: number; readonly residentBytes: number } {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
}

const tell = (message: FromEngine): void => void process.send?.(message);

process.on("message", (message: ToEngine) => {
  if (message.type === "start") begin(message);
  else if (message.type === "stop") void end(message.lingerSeconds);
  else if (running !== undefined) {
    running.phase = message.gauges.phase;
    running.page.apply(message);
    running.spans.send(message.finished);
  }
});
// The fleet is gone: nobody will ever tell this process to end.
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole process group; the fleet decides in which order its engines end.
process.on("SIGINT", () => undefined);
