import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { PlantRole } from "../sim/plant/plant.types.ts";
import { FleetError } from "./config.ts";
import { readObject, readScale, readLimits, readTruthQuery, type Refusal } from "./control-input.ts";
import { readHello } from "./pod-engines.ts";
import { renderDcgmPage } from "./dcgm-page.ts";
import { ROLES, type Fleet } from "./fleet.ts";
import { createFleetMetrics } from "./metrics.ts";
import { reportTruth } from "./truth-report.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
/** No command to the fleet is longer than this. */
const MAX_BODY = 64 * 1024;

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Undefined = the handler keeps the response and writes it itself. */
type Handler = (
  request: IncomingMessage,
  url: URL,
  names: readonly string[],
  response: ServerResponse,
) => Reply | undefined | Promise<Reply | undefined>;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handle: Handler;
}

/** What the fleet serves: control API (core/fleet-control.ts), frontend page, exporter pages, own metrics. */
export function serveControl(server: Server, fleet: Fleet): void {
  const routes = routesOf(fleet);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void answer(routes, request, response)
      .catch((error: unknown) => refuse(500, "internal", error instanceof Error ? error.message : String(error)))
      .then((reply) => (reply === undefined ? undefined : write(response, reply)));
  });
}

/** Resolves to the base URL; a port in use becomes a FleetError. */
export function listen(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const message = taken
        ? `port ${port} on ${host} is in use: choose another one`
        : `cannot listen on ${host}:${port}: ${error.message}`;
      reject(new FleetError(taken ? "port-in-use" : "bad-settings", message));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(`http://${host}:${address !== null && typeof address === "object" ? address.port : port}`);
    });
  });
}

function routesOf(fleet: Fleet): readonly Route[] {
  const metrics = createFleetMetrics(fleet);
  return [
    { method: "GET", path: /^\/healthz$/, handle: () => text("ok\n") },
    { method: "GET", path: /^\/metrics$/, handle: async () => ({ status: 200, type: metrics.contentType, body: await metrics.page() }) },
    { method: "GET", path: /^\/frontend\/metrics$/, handle: () => text(fleet.frontendPage()) },
    { method: "GET", path: /^\/nodes\/([^/]+)\/metrics$/, handle: (_, __, [node = ""]) => gpuPage(fleet, node) },
    { method: "GET", path: /^\/v1\/pools$/, handle: () => json(200, fleet.pools()) },
    { method: "GET", path: /^\/v1\/status$/, handle: () => json(200, fleet.status()) },
    { method: "GET", path: /^\/v1\/truth$/, handle: (_, url) => truth(fleet, url) },
    { method: "PUT", path: /^\/v1\/pools\/([^/]+)\/scale$/, handle: (request, _, [pool = ""]) => scale(fleet, pool, request) },
    { method: "PUT", path: /^\/v1\/pools\/([^/]+)\/limits$/, handle: (request, _, [pool = ""]) => setLimits(fleet, pool, request) },
    { method: "POST", path: /^\/v1\/engines$/, handle: (request, _, __, response) => join(fleet, request, response) },
    { method: "DELETE", path: /^\/v1\/engines\/([^/]+)$/, handle: (_, __, [pod = ""]) => leave(fleet, pod) },
    { method: "POST", path: /^\/v1\/replicas\/([^/]+)\/crash$/, handle: (_, __, [id = ""]) => crash(fleet, id) },
  ];
}

async function answer(routes: readonly Route[], request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
  const url = new URL(request.url ?? "/", "http://fleet");
  const matching = routes.filter((route) => route.path.test(url.pathname));
  const route = matching.find((one) => one.method === request.method);
  if (route !== undefined) return route.handle(request, url, (route.path.exec(url.pathname) ?? []).slice(1), response);
  if (matching.length === 0) return refuse(404, "no-such-path", `no such path: ${url.pathname}`);
  return refuse(405, "method", `${url.pathname} takes ${matching.map((one) => one.method).join(" or ")}, not ${request.method}`);
}

function gpuPage(fleet: Fleet, node: string): Reply {
  const devices = fleet.devices.filter((device) => device.node === node);
  return devices.length === 0
    ? refuse(404, "no-such-node", `no such node: ${node}`)
    : text(renderDcgmPage(devices, fleet.settings.namespace));
}

function truth(fleet: Fleet, url: URL): Reply {
  const query = readTruthQuery(url.searchParams);
  if (!query.ok) return refused(query.error);
  fleet.advance();
  const { at, elapsed, inFlight } = fleet.status();
  return json(200, reportTruth(fleet.truth, { at, elapsed, inFlight, gpuSeconds: fleet.gpuSeconds() }, query.value));
}

async function scale(fleet: Fleet, name: string, request: IncomingMessage): Promise<Reply> {
  const role = roleOf(name);
  if (role === undefined) return noPool(name);
  const replicas = readScale(await body(request));
  if (!replicas.ok) return refused(replicas.error);
  if (fleet.settings.engines === "pods") return refuse(409, "pods", "engines are pods: scale their Deployment");
  fleet.scale(role, replicas.value);
  return json(200, fleet.pool(role));
}

/** A pod's engine: what is written to it from now on, the registry writes. */
async function join(fleet: Fleet, request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
  if (fleet.settings.engines !== "pods") return notPods();
  const input = readObject(await body(request));
  const hello = input.ok ? readHello(input.value) : input.error.message;
  if (typeof hello === "string") return refuse(400, "bad-request", hello);
  const known = fleet.registry.live().some(({ pod }) => pod === hello.pod);
  if (known) return refuse(409, "known-pod", `pod ${hello.pod} has a replica already`);
  fleet.join(hello, response);
  return undefined;
}

function leave(fleet: Fleet, pod: string): Reply {
  if (fleet.settings.engines !== "pods") return notPods();
  return fleet.leave(pod) ? json(202, { pod }) : refuse(404, "no-such-pod", `no such pod: ${pod}`);
}

const notPods = (): Reply => refuse(409, "not-pods", "engines of this fleet are its own processes; a fleet of pods has engines: pods");

async function setLimits(fleet: Fleet, name: string, request: IncomingMessage): Promise<Reply> {
  const role = roleOf(name);
  if (role === undefined) return noPool(name);
  const limits = readLimits(await body(request), role);
  if (!limits.ok) return refused(limits.error);
  fleet.setLimits(limits.value);
  return json(200, fleet.pool(role));
}

function crash(fleet: Fleet, id: string): Reply {
  const replica = fleet.registry.get(Number(id));
  if (replica === undefined) return refuse(404, "no-such-replica", `no such replica: ${id}`);
  // The rest follows from the process's end, as for a kill -9 from outside.
  replica.process.kill();
  return json(202, { id: replica.id, pod: replica.pod });
}

const roleOf = (name: string): PlantRole | undefined => ROLES.find((role) => role === name);
const noPool = (name: string): Reply => refuse(404, "no-such-pool", `no such pool: ${name}; there are ${ROLES.join(" and ")}`);

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return "";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const text = (content: string): Reply => ({ status: 200, type: TEXT, body: content });
const json = (status: number, value: unknown): Reply => ({ status, type: "application/json", body: `${JSON.stringify(value)}\n` });
const refuse = (status: number, code: string, message: string): Reply => json(status, { error: { code, message } });
const refused = ({ code, message }: Refusal): Reply => refuse(400, code, message);

function write(response: ServerResponse, { status, type, body: content }: Reply): void {
  response.writeHead(status, { "content-type": type }).end(content);
}
