import { createProtoReader } from "../../core/otlp/proto-reader.ts";
import type { Parcel } from "./forward-queue.ts";

/** How one attempt ended, in the terms of the OTLP specification. */
export type Outcome =
  | { readonly kind: "sent"; readonly rejected: number }
  /** `after`: seconds, as the downstream asked. */
  | { readonly kind: "retry"; readonly error: string; readonly after?: number }
  | { readonly kind: "refused"; readonly error: string };

export interface Sender {
  /** Whether this content type can be sent unchanged. */
  takes(contentType: string): boolean;
  /** Whether a compressed body can be sent as it is; otherwise it is sent decompressed. */
  readonly compressed: boolean;
  send(parcel: Parcel): Promise<Outcome>;
  close(): void;
}

const PARTIAL_SUCCESS = 10;
const REJECTED_SPANS = 8;

/** `partial_success.rejected_spans` of an ExportTraceServiceResponse; 0 when the answer is something else. */
export function rejectedSpans(response: Uint8Array): number {
  const reader = createProtoReader(response);
  let rejected = 0;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag !== PARTIAL_SUCCESS) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    while (reader.more()) {
      const inner = reader.tag();
      if (inner === REJECTED_SPANS) rejected = reader.varint();
      else reader.skip(inner);
    }
    reader.leave(outer);
  }
  return reader.failure() === undefined ? rejected : 0;
}

export function rejectedSpansJson(response: string): number {
  const found = /"rejectedSpans"\s*:\s*"?(\d{1,15})/.exec(response);
  return found?.[1] === undefined ? 0 : Number(found[1]);
}

const DETAILS = 26;
const ANY_TYPE = 10;
const ANY_VALUE = 18;
const RETRY_DELAY = 10;
const SECONDS = 8;
const NANOS = 16;

/** Seconds of a google.rpc.RetryInfo in a google.rpc.Status (the `grpc-status-details-bin` trailer); undefined = there is none. */
export function retryDelay(status: Uint8Array): number | undefined {
  const reader = createProtoReader(status);
  let delay: number | undefined;
  const message = (visit: (tag: number) => boolean): void => {
    const outer = reader.enter();
    while (reader.more()) {
      const tag = reader.tag();
      if (!visit(tag)) reader.skip(tag);
    }
    reader.leave(outer);
  };
  const readDuration = (): void => {
    let seconds = 0;
    message((tag) => {
      if (tag === SECONDS) seconds += reader.int64();
      else if (tag === NANOS) seconds += reader.varint() / 1e9;
      else return false;
      return true;
    });
    delay = seconds;
  };
  const readDetail = (): void => {
    let type = "";
    message((tag) => {
      if (tag === ANY_TYPE) type = reader.text();
      else if (tag === ANY_VALUE && type.endsWith("/google.rpc.RetryInfo")) {
        delay = 0;
        message((inner) => {
          if (inner === RETRY_DELAY) readDuration();
          return inner === RETRY_DELAY;
        });
      } else return false;
      return true;
    });
  };
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === DETAILS) readDetail();
    else reader.skip(tag);
  }
  return reader.failure() === undefined ? delay : undefined;
}
