import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { FleetPool, FleetPools } from "../../../core/fleet-control.ts";

/** A loopback server that speaks the fleet control API and remembers what was written. */
export interface FleetServer {
  readonly url: string;
  readonly writes: { readonly path: string; readonly body: unknown }[];
  readonly pools: Map<string, FleetPool>;
  gpus: { total: number; used: number };
  /** When set, every answer has this status. */
  failWith: number | undefined;
  /** Runs before each answer. */
  before: (method: string, path: string) => void;
  close(): Promise<void>;
}

export const fleetPool = (fields: Partial<FleetPool> & Pick<FleetPool, "name" | "role">): FleetPool => ({
  namespace: "demo",
  model: "llama",
  engine: "vllm",
  desired: 2,
  unschedulable: 0,
  limits: fields.role === "prefill" ? { maxBatchedTokens: 8192 } : { maxNumSeqs: 256 },
  replicas: [0, 1].map((id) => ({
    id,
    pod: `${fields.name}-${id}`,
    node: "node-a",
    phase: "ready",
    startedAt: 900,
    pid: null,
    url: "http://127.0.0.1:1/metrics",
    gpus: [id],
  })),
  ...fields,
});

export async function startFleetServer(): Promise<FleetServer> {
  const state: Omit<FleetServer, "url" | "close"> = {
    writes: [],
    pools: new Map([
      ["prefill", fleetPool({ name: "prefill", role: "prefill" })],
      ["decode", fleetPool({ name: "decode", role: "decode" })],
    ]),
    gpus: { total: 8, used: 4 },
    failWith: undefined,
    before: () => undefined,
  };
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const path = request.url ?? "";
      state.before(request.method ?? "", path);
      if (state.failWith !== undefined) return response.writeHead(state.failWith).end("no");
      if (request.method === "GET") {
        const pools: FleetPools = { at: 1000, gpus: state.gpus, pools: [...state.pools.values()] };
        return response.end(JSON.stringify(pools));
      }
      return response.end(JSON.stringify(put(state, path, JSON.parse(body))));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}

function put(state: Omit<FleetServer, "url" | "close">, path: string, body: unknown): FleetPool | undefined {
  state.writes.push({ path, body });
  const name = path.split("/")[3] ?? "";
  const pool = state.pools.get(name);
  if (pool === undefined) return undefined;
  const changed = path.endsWith("/scale")
    ? { ...pool, desired: (body as { replicas: number }).replicas }
    : { ...pool, limits: { ...pool.limits, ...(body as object) } };
  state.pools.set(name, changed);
  return changed;
}
