import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { status } from "../kube-api/respond.ts";
import { kubeconfigText, send, verbOf, type KubeApiServer } from "../kube-api/server.ts";

/** Faults that a test chooses, between the scaler and whatever API server there is. */
export interface Faults extends Pick<KubeApiServer, "fault" | "token"> {
  readonly watches: Iterable<{ cut(): void }>;
}

export interface FaultProxy extends Faults {
  readonly kubeconfig: string;
  close(): void;
}

/** A way to a real API server that can be cut or answer in its place. Whoever presents its token is let in as the kubeconfig's user. */
export async function startFaultProxy(config: KubeConfig): Promise<FaultProxy> {
  const target = new URL(config.getCurrentCluster()?.server ?? "");
  const access: RequestOptions = {};
  await config.applyToHTTPSOptions(access);
  const watches = new Set<{ cut(): void }>();
  const proxy = { fault: (() => undefined) as Faults["fault"], token: "secret", watches };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", headers } = request;
    if (headers.authorization !== `Bearer ${proxy.token}`) return send(response, status(401, "Unauthorized", "Unauthorized"));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? "/", "http://kube");
    const call = callOf(method, url, text);
    const fault = call === undefined ? undefined : await proxy.fault(call);
    if (fault === "cut") return void request.socket.destroy();
    if (typeof fault === "object") return send(response, fault);
    const { authorization: _, host: __, connection: ___, ...kept } = headers;
    const own = access.headers as Record<string, string> | undefined;
    const where = { host: target.hostname, port: target.port, path: request.url, method };
    const onward = httpsRequest({ ...access, ...where, headers: { ...kept, ...own } }, (answer) => {
      if (fault === "cut after") return void request.socket.destroy();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    const watch = { cut: () => void response.destroy() };
    if (call?.verb === "watch") watches.add(watch);
    response.on("close", () => {
      watches.delete(watch);
      onward.destroy();
    });
    onward.end(text);
  }

  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  const folder = mkdtempSync(join(tmpdir(), "fulcrum-faults-"));
  const kubeconfig = join(folder, "config");
  writeFileSync(kubeconfig, kubeconfigText(`http://127.0.0.1:${port}`, proxy.token));
  return Object.assign(proxy, {
    kubeconfig,
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}

/** Undefined: discovery, and whatever else is about no resource. */
function callOf(method: string, url: URL, text: string): Parameters<Faults["fault"]>[0] | undefined {
  const match = /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(url.pathname);
  if (match === null) return undefined;
  const [, group = "", namespace = "", plural = "", name = "", subresource = ""] = match;
  return {
    ...{ verb: verbOf(method, name, url.searchParams.get("watch") === "true"), group, namespace, name },
    resource: subresource === "" ? plural : `${plural}/${subresource}`,
    query: url.searchParams,
    body: text === "" ? {} : (JSON.parse(text) as unknown),
  };
}
