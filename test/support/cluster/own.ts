import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoreV1Api } from "@kubernetes/client-node";
import { kubeConfigOf, REAL_CLUSTER } from "./real.ts";

/** A request that a service account of Fulcrum's made, as the API server judged it. */
export interface Judged {
  /** Without `system:serviceaccount:`. */
  readonly account: string;
  readonly verb: string;
  /** With its subresource. */
  readonly resource: string;
  readonly group: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
}

/** The control plane of scripts/real-cluster.ts: what it judged, and what only those can do who run it. */
export interface OwnControlPlane {
  readonly core: CoreV1Api;
  readonly kubeconfig: string;
  readonly server: string;
  judged(): Promise<readonly Judged[]>;
  restart(): Promise<void>;
  compact(): Promise<void>;
  /** A token of a service account, bound to a pod, for an audience (else the API server's own). */
  token(account: string, of?: { readonly pod?: string; readonly audience?: string }): Promise<string>;
  /** A folder as a pod is given it: token and ca.crt. */
  account(token: string): { readonly folder: string; readonly kubeconfig: string; remove(): void };
}

/** Undefined where the tests do not run on it. */
export function ownControlPlane(): OwnControlPlane | undefined {
  const controls = process.env["FULCRUM_TEST_CONTROL_PLANE"];
  const kubeconfig = REAL_CLUSTER;
  if (controls === undefined || kubeconfig === undefined) return undefined;
  const config = kubeConfigOf(kubeconfig);
  const { server = "", caFile = "" } = config.getCurrentCluster() ?? {};
  const core = config.makeApiClient(CoreV1Api);
  const order = async (method: string, path: string): Promise<string> => {
    const answer = await fetch(controls + path, { method });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.text();
  };
  return {
    ...{ core, kubeconfig, server },
    judged: async () => (await order("GET", "/audit")).split("\n").filter(Boolean).flatMap(judgedOf),
    restart: async () => void (await order("POST", "/restart")),
    compact: async () => void (await order("POST", "/compact")),
    async token(account, { pod, audience } = {}) {
      const [namespace = "", name = ""] = account.split("/");
      const bound = pod === undefined ? undefined : { kind: "Pod", apiVersion: "v1", name: pod };
      const audiences = audience === undefined ? [] : [audience];
      const spec = { audiences, expirationSeconds: 3600, ...(bound === undefined ? {} : { boundObjectRef: bound }) };
      const { status } = await core.createNamespacedServiceAccountToken({ namespace, name, body: { spec } });
      if (status?.token === undefined) throw new Error(`no token for ${account}`);
      return status.token;
    },
    account(token) {
      const folder = mkdtempSync(join(tmpdir(), "fulcrum-account-"));
      const at = (name: string): string => join(folder, name);
      writeFileSync(at("token"), token);
      writeFileSync(at("ca.crt"), readFileSync(caFile));
      writeFileSync(
        at("kubeconfig"),
        `apiVersion: v1
kind: Config
current-context: account
contexts: [{ name: account, context: { cluster: real, user: account, namespace: fulcrum } }]
clusters: [{ name: real, cluster: { server: "${server}", certificate-authority: "${at("ca.crt")}" } }]
users: [{ name: account, user: { token: "${token}" } }]
`,
      );
      return { folder, kubeconfig: at("kubeconfig"), remove: () => rmSync(folder, { recursive: true, force: true }) };
    },
  };
}

interface AuditLine {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** A line of the audit log; a watch is told when it begins and when it ends, and counts when it ends or is refused. */
function judgedOf(line: string): readonly Judged[] {
  const { stage, verb, user, objectRef, responseStatus } = JSON.parse(line) as AuditLine; // audit.k8s.io/v1, by the API server
  if (objectRef?.resource === undefined || (stage === "ResponseStarted" && verb !== "watch")) return [];
  const { resource, subresource, apiGroup = "", namespace = "", name = "" } = objectRef;
  return [
    {
      ...{ account: user.username.replace("system:serviceaccount:", ""), verb, group: apiGroup, namespace, name },
      ...{ resource: subresource === undefined ? resource : `${resource}/${subresource}`, code: responseStatus?.code ?? 0 },
    },
  ];
}
