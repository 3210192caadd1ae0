import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { err, ok, type Result } from "../../core/result.ts";
import type { Door } from "./transport.ts";

export interface Cluster {
  readonly door: Door;
  /** Of the context, or of the pod's service account. */
  readonly namespace: string | undefined;
}

/**
 * The client library only says where the API server is and who we are: kubeconfig, service account, exec plugins, OIDC, rotation
 * of tokens and certificates. Its typed clients know neither scale subresources of custom kinds nor Retry-After nor leases.
 */
export function connect(kubeconfig: string | undefined): Result<Cluster, string> {
  const config = new KubeConfig();
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
    else if (process.env["KUBERNETES_SERVICE_HOST"] !== undefined) config.loadFromCluster();
    else return err("no cluster to connect to: not in a pod, and no kubeconfig is set; set kubeconfig (FULCRUM_KUBECONFIG) to its path");
  } catch (error) {
    return err(`${kubeconfig ?? "service account"}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) return err(`${kubeconfig ?? "service account"}: has no current context with a cluster; set current-context`);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  return ok({ namespace, door: doorOf(config, cluster.server, cluster.proxyUrl !== undefined) });
}

function doorOf(config: KubeConfig, server: string, proxied: boolean): Door {
  let kept: { readonly key: string; readonly agent: HttpAgent | HttpsAgent } | undefined;
  return {
    server,
    async options() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      if (proxied) return options;
      // The library makes an agent a call, and with it a TLS handshake a call. One is kept while the credentials stay the same.
      const { ca, cert, key, rejectUnauthorized, servername } = options;
      const identity = JSON.stringify([ca, cert, key, rejectUnauthorized, servername].map((x) => (x === undefined ? null : String(x))));
      if (kept?.key !== identity) {
        kept?.agent.destroy();
        const own = Object.fromEntries(
          Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(([, value]) => value !== undefined),
        );
        const agent = server.startsWith("http:") ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ...own });
        kept = { key: identity, agent };
      }
      return { ...options, agent: kept.agent };
    },
  };
}
