import {
  Server,
  ServerCredentials,
  logVerbosity,
  setLogVerbosity,
  type ServiceDefinition,
  type UntypedHandleCall,
  status,
} from "@grpc/grpc-js";
import { decodeTraces } from "../../core/otlp/protobuf.ts";
import { exportResponse } from "./export-response.ts";
import { MAX_BODY_BYTES } from "./http-body.ts";
import type { SpanIntake } from "./span-intake.ts";

export interface OtlpGrpcServer {
  readonly port: number;
  close(): Promise<void>;
}

const CLOSE_SECONDS = 1;

/** The message stays bytes: our own decoder reads the few fields we need, several times faster than a general one. */
const bytes = (value: Buffer): Buffer => value;

const service: ServiceDefinition = {
  Export: {
    path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

/** OTLP/gRPC receiver without TLS, as every engine's exporter defaults to. Rejects when the port cannot be had. */
export async function startOtlpGrpc(
  address: { readonly host: string; readonly port: number },
  intake: SpanIntake,
): Promise<OtlpGrpcServer> {
  // It writes plain text to stderr, where our JSON lines go; what matters comes back as an error.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_BODY_BYTES,
    "grpc.max_concurrent_streams": 32,
    // Without this, two agents on one port would share its connections in silence.
    "grpc.so_reuseport": 0,
  });
  server.addService(service, { Export: exportHandler(intake) });
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${address.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, CLOSE_SECONDS * 1000);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function exportHandler(intake: SpanIntake): UntypedHandleCall {
  return (
    call: { readonly request: Buffer },
    respond: (error: { readonly code: status; readonly details: string } | null, response?: Buffer) => void,
  ): void => {
    const batch = decodeTraces(call.request);
    if (!batch.ok) {
      intake.refuse("malformed");
      return respond({ code: status.INVALID_ARGUMENT, details: `not an ExportTraceServiceRequest: ${batch.error.message}` });
    }
    intake.accept(batch.value, "grpc");
    const { dropped } = batch.value;
    respond(null, exportResponse(dropped, `${dropped} spans are over the receiver's limits`));
  };
}
