import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { decodeTracesJson } from "../../core/otlp/json.ts";
import { decodeTraces } from "../../core/otlp/protobuf.ts";
import { exportResponse, exportResponseJson, statusBody, statusBodyJson } from "./export-response.ts";
import { JSON_TYPE, PROTOBUF } from "./content-types.ts";
import { MAX_BODY_BYTES, discard, readBody } from "./http-body.ts";
import { type TraceSink, spansOf } from "./trace-sink.ts";

/** Bodies being read at once; with the body limit this bounds memory. Exporters retry on 503. */
const MAX_CONCURRENT = 16;
/** An engine holds one or two connections, and a node has tens of engines. */
const MAX_CONNECTIONS = 512;
/** A batch that is sent on a connection just closed is lost, and exporters send every 5 s by default, which is Node's default here too. */
const KEEP_ALIVE = 75_000;

/** OTLP/HTTP receiver: POST /v1/traces in protobuf or JSON, gzip or plain, answered in the request's own format. */
export function createOtlpHttpServer(sink: TraceSink): Server {
  let active = 0;
  // Node looks for overdue requests every 30 s by default, which would make the timeouts below meaningless.
  const server = createServer({ connectionsCheckingInterval: 1000 }, (request, response) => {
    if (active >= MAX_CONCURRENT) {
      request.resume();
      sink.intake.refuse("overload");
      response.setHeader("retry-after", "1");
      return refuse(request, response, 503, 8, `more than ${MAX_CONCURRENT} requests at once`);
    }
    active++;
    handle(request, response, sink)
      .catch((cause: unknown) => {
        sink.onProblem(cause);
        response.destroy();
      })
      .finally(() => active--);
  });
  // A sender that drips its headers or body is cut off; exporters give up after 10 s themselves.
  server.headersTimeout = 5000;
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = KEEP_ALIVE;
  server.maxConnections = MAX_CONNECTIONS;
  // What is no HTTP, or never comes to the end of its headers, is no request; it is counted all the same.
  server.on("clientError", (cause: NodeJS.ErrnoException, socket) => {
    if (cause.code === "ECONNRESET" || !socket.writable) return socket.destroy();
    const late = cause.code === "ERR_HTTP_REQUEST_TIMEOUT";
    sink.intake.refuse(late ? "broken-off" : "malformed");
    socket.end(`HTTP/1.1 ${late ? "408 Request Timeout" : "400 Bad Request"}\r\nconnection: close\r\n\r\n`);
  });
  return server;
}

async function handle(request: IncomingMessage, response: ServerResponse, { intake, forward }: TraceSink): Promise<void> {
  if ((request.url ?? "").split("?", 1)[0] !== "/v1/traces") return refuse(request, response, 404, 12, "only /v1/traces is served here");
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    return refuse(request, response, 405, 12, "only POST is served here");
  }
  const type = contentType(request);
  if (type !== PROTOBUF && type !== JSON_TYPE)
    return refuse(request, response, 415, 3, `content-type "${type}" is not supported; use ${PROTOBUF} or ${JSON_TYPE}`);

  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body.ok) {
    const { code } = body.error;
    intake.refuse(code === "too-large" || code === "broken-off" ? code : "malformed");
    // A sender that is cut off while it writes sees a broken connection, not the answer, and would send the same again.
    if (code === "too-large") await discard(request);
    const status = { "too-large": 413, "unsupported-encoding": 415, broken: 400, "broken-off": 400 }[code];
    return refuse(request, response, status, 3, body.error.message);
  }
  const { message: bytes } = body.value;
  const keep = intake.keep();
  const batch = type === JSON_TYPE ? decodeTracesJson(bytes.toString("utf8"), undefined, keep) : decodeTraces(bytes, undefined, keep);
  if (!batch.ok) {
    intake.refuse("malformed");
    return refuse(request, response, 400, 3, `not an ExportTraceServiceRequest: ${batch.error.message}`);
  }
  intake.accept(batch.value, "http");
  forward?.offer({ ...body.value, contentType: type, spans: spansOf(batch.value) });
  const { dropped } = batch.value;
  const message = `${dropped} spans are over the receiver's limits`;
  reply(response, 200, type, type === JSON_TYPE ? exportResponseJson(dropped, message) : exportResponse(dropped, message));
}

const contentType = (request: IncomingMessage): string =>
  (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/** An error in the request's format. The rest of the body is not read: the connection ends with the answer. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, code: number, message: string): void {
  const json = contentType(request) === JSON_TYPE;
  if (!request.complete) response.setHeader("connection", "close");
  reply(response, status, json ? JSON_TYPE : PROTOBUF, json ? statusBodyJson(code, message) : statusBody(code, message));
}

function reply(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
