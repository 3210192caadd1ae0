import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, type ChannelCredentials, type GrpcObject, type ServiceError } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/grpc-js/build/src/make-client.js";

const proto = fileURLToPath(new URL("../fixtures/keda/externalscaler.proto", import.meta.url));
// grpc-js brings its own proto-loader; the client is made from the service definition by it, not by our codec.
const loader = createRequire(import.meta.resolve("@grpc/grpc-js"))("@grpc/proto-loader") as {
  loadSync(file: string, options: Readonly<Record<string, unknown>>): PackageDefinition;
};

export type Method = "IsActive" | "GetMetricSpec" | "GetMetrics";
export interface Ref {
  readonly name: string;
  readonly namespace: string;
  readonly scalerMetadata: Readonly<Record<string, string>>;
}

interface ActiveStream {
  on(event: "data", listener: (message: { readonly result: boolean }) => void): void;
  on(event: "error", listener: (error: ServiceError) => void): void;
  cancel(): void;
}

/** A gRPC client made from KEDA's service definition. */
export interface KedaClient {
  call(method: Method, request: unknown): Promise<unknown>;
  stream(method: "StreamIsActive" | "StreamMetricSpec", ref: Ref): ActiveStream;
  close(): void;
}

type Unary = (request: unknown, options: { deadline: number }, done: (error: ServiceError | null, reply: unknown) => void) => void;
type Client = Record<Method, Unary> & Record<"StreamIsActive" | "StreamMetricSpec", (request: unknown) => ActiveStream> & { close(): void };

export function kedaClient(port: number, how: ChannelCredentials = credentials.createInsecure()): KedaClient {
  const definition = loader.loadSync(proto, { keepCase: true, defaults: true, longs: Number });
  const loaded = loadPackageDefinition(definition)["externalscaler"] as GrpcObject;
  const Service = loaded["ExternalScaler"] as unknown as new (address: string, how: ChannelCredentials, options: object) => Client;
  const client = new Service(`127.0.0.1:${port}`, how, { "grpc.ssl_target_name_override": "localhost" });
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client[method](request, { deadline: Date.now() + 20_000 }, (error, reply) => (error === null ? resolve(reply) : reject(error)));
      }),
    stream: (method, ref) => client[method](ref),
    close: () => client.close(),
  };
}
