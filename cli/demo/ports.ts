import { createServer } from "node:net";
import { DemoInputError } from "./options.ts";

/** Where each part of the demo listens: fixed offsets from the page's port, so that they can be found by hand. */
export interface DemoPorts {
  readonly page: number;
  readonly fleet: number;
  readonly agents: readonly { readonly metrics: number; readonly grpc: number; readonly http: number }[];
}

export function demoPorts(base: number, nodes: number): DemoPorts {
  const agents = Array.from({ length: nodes }, (_, i) => ({ metrics: base + 11 + i, grpc: base + 21 + i, http: base + 31 + i }));
  return { page: base, fleet: base + 1, agents };
}

/** Throws a DemoInputError naming every port that is taken. */
export async function requireFree(ports: DemoPorts, host: string): Promise<void> {
  const all = [ports.page, ports.fleet, ...ports.agents.flatMap((a) => [a.metrics, a.grpc, a.http])];
  const results = await Promise.all(all.map(async (port) => ({ port, problem: await tryListen(port, host) })));
  const taken = results.filter((r) => r.problem !== undefined);
  if (taken.length === 0) return;
  const list = taken.map((t) => `${t.port} (${t.problem})`).join(", ");
  throw new DemoInputError(
    `cannot listen on ${host} port ${list}; the demo needs ${Math.min(...all)}–${Math.max(...all)}: stop what uses them or choose another range with --port N`,
  );
}

function tryListen(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (e: NodeJS.ErrnoException) => resolve(e.code === "EADDRINUSE" ? "in use" : (e.code ?? e.message)));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
