import { Client, type ClientUnaryCall, type ServiceError, credentials, status } from "@grpc/grpc-js";
import { PROTOBUF } from "./content-types.ts";
import { type Outcome, type Sender, rejectedSpans, retryDelay } from "./forward-outcome.ts";
import { EXPORT_PATH } from "./grpc-path.ts";

/** The specification's table; RESOURCE_EXHAUSTED only when the answer says when to come back. */
const RETRYABLE: ReadonlySet<status> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);
const TIMEOUT = 10_000;

const bytes = (value: Buffer): Buffer => value;

/** Sends to an OTLP/gRPC endpoint: the message's bytes as they came. A JSON body is no message, so it cannot be sent unchanged. */
export function createGrpcSender(url: URL): Sender {
  const channel = url.protocol === "grpcs:" ? credentials.createSsl() : credentials.createInsecure();
  const client = new Client(url.host, channel, {
    // The queue retries, with its own backoff.
    "grpc.enable_retries": 0,
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 5000,
    "grpc.max_receive_message_length": 64 * 1024,
  });
  const calls = new Set<ClientUnaryCall>();
  return {
    compressed: false,
    takes: (contentType) => contentType === PROTOBUF,
    send: ({ body }) =>
      new Promise((resolve) => {
        const call = client.makeUnaryRequest(EXPORT_PATH, bytes, bytes, body, { deadline: Date.now() + TIMEOUT }, (error, answer) => {
          calls.delete(call);
          resolve(error === null ? { kind: "sent", rejected: rejectedSpans(answer ?? new Uint8Array()) } : outcomeOf(error));
        });
        calls.add(call);
      }),
    close() {
      // Closing a client lets its calls run on; here they would outlive the agent.
      for (const call of calls) call.cancel();
      client.close();
    },
  };
}

function outcomeOf(failure: ServiceError): Outcome {
  const error = `${status[failure.code]}: ${failure.details}`;
  const [details] = failure.metadata.get("grpc-status-details-bin");
  const after = Buffer.isBuffer(details) ? retryDelay(details) : undefined;
  const again = RETRYABLE.has(failure.code) || (failure.code === status.RESOURCE_EXHAUSTED && after !== undefined);
  return again ? { kind: "retry", error, ...(after !== undefined && { after }) } : { kind: "refused", error };
}
