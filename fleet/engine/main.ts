import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { EnginePage } from "./engine-page.ts";
import { followFleet } from "./from-fleet.ts";
import type { EngineStart, FromEngine, ToEngine } from "./messages.ts";
import { podHello } from "./pod-hello.ts";
import { sglangPage } from "./sglang-page.ts";
import { createSpanSender, type SpanSender } from "./spans.ts";
import { vllmPage } from "./vllm-page.ts";

/**
 * One simulated engine: a process of its own, with its own port, counters from zero, and an end that a
 * `kill -9` can bring. The fleet tells it what happened on its replica: a child process over its channel, a pod (FULCRUM_ENGINE_FLEET is
 * set) over a stream that it opens itself.
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
  server.listen(start.port ?? 0, start.host, () => {
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

function tell(message: FromEngine): void {
  process.send?.(message);
  if (process.send === undefined && message.type === "failed") giveUp(message.message);
}

function giveUp(why: string): void {
  process.stderr.write(`engine: ${why}\n`);
  process.exit(1);
}

function hear(message: ToEngine): void {
  if (message.type === "start") begin(message);
  else if (message.type === "stop") void end(message.lingerSeconds);
  else if (running !== undefined) {
    running.phase = message.gauges.phase;
    running.page.apply(message);
    running.spans.send(message.finished);
  }
}

function runAsChild(): void {
  process.on("message", hear);
  // The fleet is gone: nobody will ever tell this process to end.
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C reaches the whole process group; the fleet decides in which order its engines end.
  process.on("SIGINT", () => undefined);
}

function runAsPod(fleet: string): void {
  const hello = podHello(process.env);
  if (!hello.ok) return giveUp(hello.error);
  let stopping = false;
  const onMessage = (message: ToEngine): void => {
    stopping ||= message.type === "stop";
    hear(message);
  };
  // A real engine would have lost its GPU with its process; the kubelet starts this one again, with counters from zero.
  const stream = followFleet(fleet, hello.value, onMessage, (why) => (stopping ? undefined : giveUp(why)));
  // The kubelet's word: what runs is finished first, as far as the grace period allows.
  process.on("SIGTERM", () => void stream.leave().catch(() => process.exit(0)));
  process.on("SIGINT", () => process.exit(0));
}

const fleet = process.env["FULCRUM_ENGINE_FLEET"];
if (fleet === undefined) runAsChild();
else runAsPod(fleet);
