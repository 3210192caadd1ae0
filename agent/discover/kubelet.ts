import { Client, credentials, logVerbosity, setLogVerbosity, status, type ServiceError } from "@grpc/grpc-js";
import { type Allocation, decodePodResources } from "../../core/kubelet/pod-resources.ts";
import { type Result, err } from "../../core/result.ts";

/** The kubelet's list of who was given which device, over its unix socket. */
export interface Kubelet {
  list(): Promise<Result<readonly Allocation[], string>>;
  close(): void;
}

/** Newest first. A kubelet that has the older one only answers UNIMPLEMENTED to the newer. */
const VERSIONS = ["v1", "v1alpha1"] as const;
const CALL_SECONDS = 5;
/** What the kubelet itself sends at most. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The request has no fields, and the answer is decoded by our own few lines. */
const none = (): Buffer => Buffer.alloc(0);
const bytes = (value: Buffer): Buffer => value;

/**
 * Only `List` is asked: `Get` wants a pod's name, and `List` brings all there are in one answer; `GetAllocatableResources` names devices that
 * the driver tells better.
 */
export function createKubelet(socket: string): Kubelet {
  // It writes plain text to stderr, where our JSON lines go; what matters comes back as an error.
  setLogVerbosity(logVerbosity.NONE);
  const options = {
    "grpc.max_receive_message_length": MAX_BYTES,
    "grpc.default_authority": "localhost",
    "grpc.initial_reconnect_backoff_ms": 1000,
  };
  const client = new Client(`unix://${socket}`, credentials.createInsecure(), options);
  let spoken: (typeof VERSIONS)[number] | undefined;

  const call = (version: string): Promise<Buffer | ServiceError> =>
    new Promise((resolve) => {
      const deadline = Date.now() + CALL_SECONDS * 1000;
      client.makeUnaryRequest(`/${version}.PodResourcesLister/List`, none, bytes, undefined, { deadline }, (error, value) =>
        resolve(error ?? value ?? Buffer.alloc(0)),
      );
    });

  return {
    async list() {
      let last = "";
      for (const version of spoken === undefined ? VERSIONS : [spoken]) {
        const answer = await call(version);
        if (Buffer.isBuffer(answer)) {
          spoken = version;
          return decodePodResources(answer);
        }
        last = `${version}: ${status[answer.code] ?? answer.code} ${answer.details}`;
        if (answer.code !== status.UNIMPLEMENTED) break;
        // A kubelet that was upgraded or downgraded under the same socket.
        spoken = undefined;
      }
      return err(last.slice(0, 400));
    },
    close: () => client.close(),
  };
}
