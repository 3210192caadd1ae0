import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServiceClientConstructor,
  type ServiceError,
  type GrpcObject,
} from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/grpc-js/build/src/make-client.js";

// grpc-js brings its own proto-loader; the server is made from the published service definition by it, not by our decoder.
const loader = createRequire(import.meta.resolve("@grpc/grpc-js"))("@grpc/proto-loader") as {
  loadSync(file: string, options: Readonly<Record<string, unknown>>): PackageDefinition;
};

export interface PodDevices {
  readonly name: string;
  readonly namespace: string;
  readonly containers: readonly {
    readonly name: string;
    readonly devices?: readonly { readonly resource_name: string; readonly device_ids: readonly string[]; readonly topology?: unknown }[];
    readonly cpu_ids?: readonly number[];
    readonly memory?: readonly unknown[];
    readonly dynamic_resources?: readonly unknown[];
  }[];
}

/** A kubelet's PodResources server on a unix socket. */
export interface FakeKubelet {
  readonly socket: string;
  readonly calls: string[];
  pods: readonly PodDevices[];
  /** Answers with this instead. */
  failure: Partial<ServiceError> | undefined;
  close(): Promise<void>;
}

export async function startKubelet(
  pods: readonly PodDevices[],
  versions: readonly ("v1" | "v1alpha1")[] = ["v1", "v1alpha1"],
): Promise<FakeKubelet> {
  const directory = await mkdtemp(join(tmpdir(), "fulcrum-kubelet-"));
  const state: Omit<FakeKubelet, "close"> = { socket: join(directory, "kubelet.sock"), calls: [], pods, failure: undefined };
  const server = new Server();
  for (const version of versions) {
    const file = fileURLToPath(new URL(`../fixtures/podresources/${version}.proto`, import.meta.url));
    const loaded = loadPackageDefinition(loader.loadSync(file, { keepCase: true, longs: Number }))[version] as GrpcObject;
    const { service } = loaded["PodResourcesLister"] as ServiceClientConstructor;
    const list = (_: unknown, done: sendUnaryData<unknown>): void => {
      state.calls.push(`${version}.List`);
      if (state.failure !== undefined) done(state.failure);
      else done(null, { pod_resources: state.pods });
    };
    server.addService(service, { List: list });
  }
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${state.socket}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
  });
  return Object.assign(state, {
    async close() {
      server.forceShutdown();
      await rm(directory, { recursive: true, force: true });
    },
  });
}
