import type { Sender } from "./forward-outcome.ts";
import { createHttpSender } from "./forward-http.ts";
import { type Forwarder, type ForwarderOptions, createForwarder } from "./forwarder.ts";

/**
 * The forwarder to a collector's address. As exporters read OTEL_EXPORTER_OTLP_ENDPOINT, an http address without a path gets
 * `/v1/traces`; grpc-js is loaded only for a grpc one.
 */
export async function openForwarder(address: string, options: Omit<ForwarderOptions, "sender">): Promise<Forwarder> {
  return createForwarder({ ...options, sender: await openSender(new URL(address)) });
}

async function openSender(url: URL): Promise<Sender> {
  if (url.protocol === "grpc:" || url.protocol === "grpcs:") return (await import("./forward-grpc.ts")).createGrpcSender(url);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return createHttpSender(url);
}

/** The address as it may be shown: without a password. */
export function shownAddress(address: string): string {
  const url = new URL(address);
  url.username = url.password = "";
  return url.href;
}
