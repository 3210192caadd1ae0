import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import type { ControlPlane } from "./control-plane.ts";

/**
 * What only those can do who run the control plane, for tests, over loopback: `POST /restart` the API server, `POST /compact` etcd (both
 * answer when it is done), `GET /audit` (its log so far).
 */
export async function openControls(cluster: ControlPlane): Promise<{ readonly url: string; close(): void }> {
  const actions: Readonly<Record<string, () => Promise<string>>> = {
    "POST /restart": async () => {
      await cluster.restart();
      return "";
    },
    "POST /compact": async () => {
      await compact(cluster.etcd);
      return "";
    },
    "GET /audit": () => readFile(cluster.audit, "utf8"),
  };
  const server = createServer((request, response) => {
    const action = actions[`${request.method ?? ""} ${request.url ?? ""}`];
    const done = action === undefined ? Promise.reject(new Error("no such control")) : action();
    done.then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Ends of all history: what the API server asks of before is gone. */
async function compact(etcd: string): Promise<void> {
  const ask = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await fetch(`${etcd}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd: ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const { header } = (await ask("range", { key: "AA==" })) as { header: { revision: string } }; // etcd's own answer
  await ask("compaction", { revision: header.revision, physical: true });
}
