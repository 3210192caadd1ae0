import { type Result, err, ok } from "../../core/result.ts";
import type { AgentSettings } from "../config.ts";
import type { KubeAccess } from "./kube-api.ts";

/** The API server by its setting, else as Kubernetes tells every container. */
export function kubeAccess(
  { kubeApi, serviceAccount: account }: Pick<AgentSettings, "kubeApi" | "serviceAccount">,
  env: Readonly<Record<string, string | undefined>>,
): Result<KubeAccess, string> {
  if (kubeApi !== undefined) return ok({ server: kubeApi, account });
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  if (host === undefined || host === "" || port === undefined)
    return err("not in a pod: set kubeApi (FULCRUM_KUBE_API) to the API server's address");
  return ok({ server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`, account });
}
