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
import { createCallGuard } from "./call-guard.ts";
import { PROTOBUF } from "./content-types.ts";
import type { Forwarder } from "./forwarder.ts";
import { EXPORT_PATH } from "./grpc-path.ts";
import { MAX_BODY_BYTES } from "./http-body.ts";
import type { SpanIntake } from "./span-intake.ts";
import { type TraceSink, spansOf } from "./trace-sink.ts";

export interface OtlpGrpcServer {
  readonly port: number;
  close(): Promise<void>;
}

const CLOSE_SECONDS = 1;

/** The message stays bytes: our own decoder reads the few fields we need, several times faster than a general one. */
const bytes = (value: Buffer): Buffer => value;

const service: ServiceDefinition = {
  Export: {
    path: EXPORT_PATH,
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
  { intake, forward, onProblem }: TraceSink,
): Promise<OtlpGrpcServer> {
  // It writes plain text to stderr, where our JSON lines go; what matters comes back as an error.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_BODY_BYTES,
    "grpc.max_concurrent_streams": 32,
    // Without this, two agents on one port would share its connections in silence.
    "grpc.so_reuseport": 0,
    // Nobody asks it, and its bookkeeping is a third of what grpc-js does for a call.
    "grpc.enable_channelz": 0,
    // Half-open connections: a peer that answers no ping within 20 s is gone.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    interceptors: [createCallGuard(intake.refuse)],
  });
  server.addService(service, { Export: exportHandler(intake, forward, onProblem) });
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

function exportHandler(intake: SpanIntake, forward: Forwarder | undefined, onProblem: (cause: unknown) => void): UntypedHandleCall {
  return (
    call: { readonly request: Buffer },
    respond: (error: { readonly code: status; readonly details: string } | null, response?: Buffer) => void,
  ): void => {
    try {
      const batch = decodeTraces(call.request, undefined, intake.keep());
      if (!batch.ok) {
        intake.refuse("malformed");
        return respond({ code: status.INVALID_ARGUMENT, details: `not an ExportTraceServiceRequest: ${batch.error.message}` });
      }
      intake.accept(batch.value, "grpc");
      forward?.offer({ message: call.request, contentType: PROTOBUF, spans: spansOf(batch.value) });
      const { dropped } = batch.value;
      respond(null, exportResponse(dropped, `${dropped} spans are over the receiver's limits`));
    } catch (cause) {
      // grpc-js would let it end the process.
      onProblem(cause);
      respond({ code: status.INTERNAL, details: "the receiver failed on this request" });
    }
  };
}
