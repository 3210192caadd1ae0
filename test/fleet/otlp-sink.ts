import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import type { ResourceSpans } from "../../core/otlp/trace.ts";
import { decodeTraces } from "../../core/otlp/protobuf.ts";

/** Two OTLP receivers, gRPC and HTTP, that only keep what arrives. */
export interface OtlpSink {
  readonly grpc: string;
  readonly http: string;
  readonly overGrpc: ResourceSpans[];
  readonly overHttp: ResourceSpans[];
  close(): Promise<void>;
}

export async function openOtlpSink(): Promise<OtlpSink> {
  const overGrpc: ResourceSpans[] = [];
  const overHttp: ResourceSpans[] = [];
  const keep = (into: ResourceSpans[], bytes: Uint8Array): void => {
    const batch = decodeTraces(bytes);
    if (!batch.ok) throw new Error(batch.error.message);
    into.push(...batch.value.resources);
  };
  const grpc = new Server();
  const raw = (value: Buffer): Buffer => value;
  grpc.addService(
    {
      Export: {
        path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    {
      Export: (call: { readonly request: Buffer }, done: (error: null, value: Buffer) => void) => {
        keep(overGrpc, call.request);
        done(null, Buffer.alloc(0));
      },
    },
  );
  const grpcPort = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)));
  });
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (request.url === "/v1/traces") keep(overHttp, request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const address = http.address();
  const httpPort = address !== null && typeof address === "object" ? address.port : 0;
  return {
    grpc: `http://127.0.0.1:${grpcPort}`,
    http: `http://127.0.0.1:${httpPort}`,
    overGrpc,
    overHttp,
    async close() {
      grpc.forceShutdown();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
