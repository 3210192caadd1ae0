import http, { createServer } from "node:http";
import { Client, credentials } from "@grpc/grpc-js";
import { WebSocketServer } from "ws";
import type { TargetsFile } from "../../core/targets.ts";
import { PROTOCOL_VERSION } from "../../wire/messages.ts";
import { enginePage, gpuPage } from "./moving-page.ts";
import { otlpBatch } from "./otlp-batch.ts";

export interface BusyNode {
  readonly targets: TargetsFile;
  readonly scalerUrl: string;
  /** Where the agent's receivers are, once it runs: spans are sent from then on. */
  sendSpans(ports: { readonly http: number; readonly grpc: number }): void;
  /** Before the agent is told to stop: what comes after that is refused, as it should be. */
  stopSpans(): void;
  readonly counts: NodeCounts;
  close(): Promise<void>;
}

export interface NodeCounts {
  pages: number;
  spansSent: number;
  spansRefused: number;
  /** Their batches by what the sender was told, each with the seconds since the first batch at which it last came. */
  readonly refusals: Map<string, { batches: number; lastAt: number }>;
  reports: number;
  spansReported: number;
  /** Of the last report. */
  enginesUp: number;
  gpus: number;
}

const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/** Everything an agent sees on a node: engines and GPU pages to scrape, spans that come in (half over gRPC), a scaler that acknowledges. */
export async function startBusyNode(options: {
  readonly engines: number;
  /** GPUs of a dcgm-exporter page; 0 = no page. */
  readonly gpuPages: number;
  readonly spansPerSecond: number;
}): Promise<BusyNode> {
  const counts: NodeCounts = {
    ...{ pages: 0, spansSent: 0, spansRefused: 0, refusals: new Map(), reports: 0, spansReported: 0, enginesUp: 0, gpus: 0 },
  };
  const engines = Array.from({ length: options.engines }, enginePage);
  const gpus = gpuPage(options.gpuPages);
  const pages = createServer((request, response) => {
    counts.pages++;
    const engine = engines[Number((request.url ?? "").split("/")[2])];
    response.setHeader("content-type", "text/plain; version=0.0.4").end(engine?.() ?? gpus);
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${portOf(pages.address())}`;
  const scaler = await startAcknowledger(counts);

  const each = Math.round(options.spansPerSecond / options.engines);
  const batches = await Promise.all(engines.map((_, i) => otlpBatch(each, `decode-${i}`)));
  const agent = new http.Agent({ keepAlive: true });
  let client: Client | undefined;
  const timers: NodeJS.Timeout[] = [];
  const stopSpans = (): void => {
    for (const timer of timers) clearInterval(timer);
  };

  return {
    counts,
    scalerUrl: scaler.url,
    targets: {
      node: "node-a",
      engines: engines.map((_, i) => ({
        ...{ url: `${base}/engine/${i}/metrics`, namespace: "serving", pod: `decode-${i}`, pool: i % 2 === 0 ? "decode" : "prefill" },
        ...{ role: i % 2 === 0 ? "decode" : "prefill", model: "m", engine: "vllm", phase: "ready", startedAt: 1_795_000_000 },
      })),
      gpus: options.gpuPages > 0 ? [{ url: `${base}/gpus/metrics` }] : [],
    },
    sendSpans(ports) {
      client = new Client(`127.0.0.1:${ports.grpc}`, credentials.createInsecure());
      const grpc = client;
      const begin = performance.now();
      const send = (body: Buffer, index: number): void => {
        const settle = (refusal: string | undefined): void => {
          if (refusal === undefined) counts.spansSent += each;
          else refused(counts, each, refusal, (performance.now() - begin) / 1000);
        };
        if (index % 2 === 0) postHttp(agent, ports.http, body, settle);
        else
          grpc.makeUnaryRequest(
            EXPORT,
            (b: Buffer) => b,
            (b: Buffer) => b,
            body,
            (error) => settle(error === null ? undefined : `gRPC: ${error.message}`),
          );
      };
      // Each engine once a second, spread over the second.
      batches.forEach((body, index) => {
        timers.push(setTimeout(() => timers.push(setInterval(() => send(body, index), 1000)), (index * 1000) / batches.length));
      });
    },
    stopSpans,
    async close() {
      stopSpans();
      client?.close();
      agent.destroy();
      await scaler.close();
      await new Promise<void>((resolve) => {
        pages.close(() => resolve());
        pages.closeAllConnections();
      });
    },
  };
}

function postHttp(agent: http.Agent, port: number, body: Buffer, settle: (refusal: string | undefined) => void): void {
  const headers = { "content-type": "application/x-protobuf", "content-length": body.length };
  const request = http.request({ agent, port, host: "127.0.0.1", path: "/v1/traces", method: "POST", headers }, (response) => {
    response.resume();
    settle(response.statusCode === 200 ? undefined : `HTTP: status ${response.statusCode}`);
  });
  request.on("error", (error: NodeJS.ErrnoException) =>
    settle(`HTTP: ${error.code ?? error.message}${request.reusedSocket ? " on a kept connection" : ""}`),
  );
  request.end(body);
}

function refused(counts: NodeCounts, spans: number, why: string, lastAt: number): void {
  counts.spansRefused += spans;
  counts.refusals.set(why, { batches: (counts.refusals.get(why)?.batches ?? 0) + 1, lastAt });
}

/** The scaler's side of the link, keeping sums only: a soak must not measure the growth of its own test. */
async function startAcknowledger(counts: NodeCounts): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      // Our own agent's messages, checked in the tests of the link; here only their sums matter.
      const message = JSON.parse(String(data)) as Report | { readonly type: "hello" };
      if (message.type === "hello") return socket.send(JSON.stringify({ type: "welcome", v: PROTOCOL_VERSION, seq: -1 }));
      counts.reports++;
      counts.spansReported += message.spans.received;
      counts.enginesUp = message.sources.filter((s) => s.source === "engine" && s.up).length;
      counts.gpus = message.gpus.length;
      socket.send(JSON.stringify({ type: "ack", seq: message.seq }));
    });
  });
  return {
    url: `ws://127.0.0.1:${portOf(server.address())}/agents`,
    close() {
      for (const client of server.clients) client.terminate();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

interface Report {
  readonly type: "report";
  readonly seq: number;
  readonly spans: { readonly received: number };
  readonly sources: readonly { readonly source: string; readonly up: boolean }[];
  readonly gpus: readonly unknown[];
}

const portOf = (address: ReturnType<ReturnType<typeof createServer>["address"]>): number =>
  typeof address === "object" && address !== null ? address.port : 0;
