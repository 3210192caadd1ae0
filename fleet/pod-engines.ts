import type { ServerResponse } from "node:http";
import type { PlantRole } from "../sim/plant/plant.types.ts";
import type { EngineProcess, EngineProcessEvents } from "./engine-process.ts";
import type { EngineSource } from "./engine-source.ts";
import type { EngineHello, EngineStart, ToEngine } from "./engine/messages.ts";

/** Engines that run as pods: each opens a stream to the fleet and is told over it what happens on its replica. */
export interface PodEngines extends EngineSource {
  /** The stream of a pod, for the replica that joins the plant next. */
  arrive(hello: EngineHello, stream: ServerResponse): void;
}

/** Bytes that a stream which nobody reads may hold; then the engine counts as lost. */
const MAX_BEHIND = 8 * 1024 * 1024;
/** After its linger time a pod gets this long to close the stream. */
const END_GRACE_MS = 6_000;

export function podEngines(startOf: (hello: EngineHello) => EngineStart): PodEngines {
  let arrived: { readonly hello: EngineHello; readonly stream: ServerResponse } | undefined;
  return {
    arrive(hello, stream) {
      arrived = { hello, stream };
    },
    engineOf(replica, events) {
      // Pods join one at a time, and nothing else makes a replica of such a fleet.
      if (arrived === undefined) throw new Error(`replica ${replica.id} came without a pod`);
      const { hello, stream } = arrived;
      arrived = undefined;
      const process = streamed(stream, startOf(hello), events);
      return { pod: hello.pod, placement: { node: hello.node, gpus: [] }, process };
    },
    release: () => undefined,
  };
}

/** A pod's engine, as the fleet sees it: lines of JSON to it, and the end of the stream from it. */
function streamed(stream: ServerResponse, start: EngineStart, events: EngineProcessEvents): EngineProcess {
  const state = { stopping: false, ended: false };
  const exited = new Promise<void>((resolve) => {
    stream.once("close", () => {
      state.ended = true;
      resolve();
      if (!state.stopping) events.died();
    });
  });
  const send = (message: ToEngine): void => {
    if (state.ended) return;
    stream.write(`${JSON.stringify(message)}\n`);
    if (stream.writableLength > MAX_BEHIND) stream.destroy();
  };
  stream.writeHead(200, { "content-type": "application/x-ndjson" });
  send(start);
  return {
    pid: null,
    // Whoever reads its page finds the pod's own address.
    port: () => undefined,
    listening: Promise.resolve(),
    update: send,
    stop(lingerSeconds) {
      if (state.stopping) return;
      state.stopping = true;
      send({ type: "stop", lingerSeconds });
      const limit = setTimeout(() => stream.destroy(), lingerSeconds * 1000 + END_GRACE_MS);
      void exited.then(() => clearTimeout(limit));
    },
    kill: () => void stream.destroy(),
    ended: () => state.ended,
    exited,
  };
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const URL_OF_COLLECTOR = /^https?:\/\/[^\s/]+$/;

/** What a pod says of itself, or what is wrong with it. */
export function readHello(value: unknown): EngineHello | string {
  if (typeof value !== "object" || value === null) return "a JSON object is wanted";
  const { role, pod, node, host, port, otlp } = value as Readonly<Record<string, unknown>>;
  if (!isRole(role)) return 'role: "prefill" or "decode" is wanted';
  if (typeof pod !== "string" || !NAME.test(pod)) return "pod: the pod's name is wanted";
  if (typeof node !== "string" || !NAME.test(node)) return "node: the node's name is wanted";
  if (typeof host !== "string" || host === "") return "host: the address that the engine listens on is wanted";
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) return "port: a port is wanted";
  if (otlp !== undefined && (typeof otlp !== "string" || !URL_OF_COLLECTOR.test(otlp))) return "otlp: http://HOST:PORT is wanted";
  return { role, pod, node, host, port, ...(otlp === undefined ? {} : { otlp }) };
}

const isRole = (value: unknown): value is PlantRole => value === "prefill" || value === "decode";
