import { type IncomingHttpHeaders, type ServerResponse, createServer } from "node:http";
import { type Metadata, Server, ServerCredentials, type UntypedHandleCall, status } from "@grpc/grpc-js";

export interface Received {
  readonly transport: "http" | "grpc";
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
}

export type HttpAnswer = (response: ServerResponse, received: Received) => void;
export interface GrpcAnswer {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

export interface Collector {
  readonly httpUrl: string;
  readonly grpcUrl: string;
  /** What was accepted, in order. */
  readonly received: readonly Received[];
  /** Requests that came, accepted or not. */
  attempts(): number;
  /** Answers the next requests; undefined = accept them again. */
  answerHttp(answer: HttpAnswer | undefined): void;
  answerGrpc(answer: GrpcAnswer | undefined): void;
  stop(): Promise<void>;
}

const PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
export const bytes = (value: Buffer): Buffer => value;

/** A collector on real sockets that keeps the bytes it gets. `relay` makes it pass them on first: then it stands between a sender and a receiver. */
export async function startCollector(relay?: (received: Received) => Promise<void>): Promise<Collector> {
  const received: Received[] = [];
  let attempts = 0;
  let http: HttpAnswer | undefined;
  let grpc: GrpcAnswer | undefined;

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      attempts++;
      const item: Received = { transport: "http", body: Buffer.concat(chunks), headers: request.headers };
      if (http !== undefined) return http(response, item);
      (relay?.(item) ?? Promise.resolve()).then(
        () => {
          received.push(item);
          const json = request.headers["content-type"] === "application/json";
          response.writeHead(200, { "content-type": request.headers["content-type"] }).end(json ? "{}" : "");
        },
        () => response.writeHead(503).end(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();

  const handler: UntypedHandleCall = (
    call: { readonly request: Buffer },
    respond: (error: GrpcAnswer | null, response?: Buffer) => void,
  ): void => {
    attempts++;
    if (grpc !== undefined) return respond(grpc);
    const item: Received = { transport: "grpc", body: call.request, headers: {} };
    (relay?.(item) ?? Promise.resolve()).then(
      () => {
        received.push(item);
        respond(null, Buffer.alloc(0));
      },
      () => respond({ code: status.UNAVAILABLE, details: "the next hop is away" }),
    );
  };
  const grpcServer = new Server({ "grpc.max_receive_message_length": -1 });
  const codec = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes };
  grpcServer.addService({ Export: { path: PATH, requestStream: false, responseStream: false, ...codec } }, { Export: handler });
  const grpcPort = await new Promise<number>((resolve, reject) => {
    grpcServer.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  });

  return {
    httpUrl: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    grpcUrl: `grpc://127.0.0.1:${grpcPort}`,
    received,
    attempts: () => attempts,
    answerHttp: (answer) => (http = answer),
    answerGrpc: (answer) => (grpc = answer),
    stop() {
      grpcServer.forceShutdown();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
