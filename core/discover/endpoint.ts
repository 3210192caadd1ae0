import { type Result, err, ok } from "../result.ts";
import type { FoundEngine } from "./engines.ts";
import { ANNOTATIONS, type Pod } from "./pod.ts";

/** Where the page of an engine is. */
export interface Endpoint {
  readonly scheme: "http" | "https";
  readonly port: number;
  /** With its leading slash. */
  readonly path: string;
}

/** What PodMonitors and charts of engines call the port with the metrics page, likeliest first; `system` is Dynamo's. */
const PORT_NAMES = ["metrics", "http-metrics", "prometheus", "system", "http"];

const PORT = /^\d{1,5}$/;
const isPort = (port: number): boolean => port >= 1 && port <= 65_535;

/**
 * Our annotation; else the convention `prometheus.io/port`, `/path`, `/scheme`; else the port that the engine is told to use, a port of its
 * container by a usual name, its only port, and the engine's default.
 */
export function endpointOf(pod: Pick<Pod, "annotations" | "containers">, engine: FoundEngine): Result<Endpoint, string> {
  const given = pod.annotations[ANNOTATIONS.scrape];
  if (given !== undefined) return annotated(pod, given, engine.path);
  const port = pod.annotations["prometheus.io/port"];
  const path = pod.annotations["prometheus.io/path"];
  const scheme = pod.annotations["prometheus.io/scheme"] === "https" ? "https" : "http";
  if (port !== undefined && PORT.test(port) && isPort(Number(port))) {
    return ok({ scheme, port: Number(port), path: path === undefined ? engine.path : slashed(path) });
  }
  return ok({ scheme: "http", port: engine.ownPort ?? containerPort(engine) ?? engine.defaultPort, path: engine.path });
}

function annotated({ containers }: Pick<Pod, "containers">, given: string, path: string): Result<Endpoint, string> {
  const [, where = "", rest] = /^([^/]+)(\/.*)?$/.exec(given) ?? [];
  const port = PORT.test(where) ? Number(where) : containers.flatMap((c) => c.ports).find((p) => p.name === where)?.port;
  if (port !== undefined && isPort(port)) return ok({ scheme: "http", port, path: rest ?? path });
  return err(`${ANNOTATIONS.scrape} is "${given}"; write a port as 8000 or 8000/metrics, the name of a port of the pod, or false`);
}

function containerPort({ container: { ports } }: FoundEngine): number | undefined {
  const named = PORT_NAMES.map((name) => ports.find((p) => p.name === name)?.port).find((port) => port !== undefined);
  return named ?? (ports.length === 1 ? ports[0]?.port : undefined);
}

const slashed = (path: string): string => (path.startsWith("/") ? path : `/${path}`);

export const urlOf = (ip: string, { scheme, port, path }: Endpoint): string =>
  `${scheme}://${ip.includes(":") ? `[${ip}]` : ip}:${port}${path}`;
