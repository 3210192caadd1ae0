import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Merged } from "../../core/discover/merge.ts";
import type { TargetsFile } from "../../core/targets.ts";
import type { Result } from "../../core/result.ts";
import type { AgentSettings } from "../config.ts";
import { kubeAccess } from "./kube-access.ts";
import { createKubeApi } from "./kube-api.ts";
import { createKubelet } from "./kubelet.ts";
import { type LeaseAnswer, readLease } from "./lease.ts";
import { type NodePods, watchPods } from "./pod-watch.ts";
import { targetsOf } from "./targets.ts";

const LEASE_TIMEOUT_MS = 5000;

export type KubeletProbe = { readonly devices: number; readonly pods: number } | { readonly problem: string } | "absent";

/** One list of who was given which device; absent where the folder of the kubelet's socket is. */
export async function probeKubelet({ podResources: socket }: Pick<AgentSettings, "podResources">): Promise<KubeletProbe> {
  if (!existsSync(dirname(socket))) return "absent";
  const kubelet = createKubelet(socket);
  const answer = await kubelet.list();
  kubelet.close();
  if (!answer.ok) return { problem: answer.error };
  return { devices: answer.value.length, pods: new Set(answer.value.map((a) => `${a.namespace}/${a.pod}`)).size };
}

export type DiscoveryProbe = { readonly merged: Merged; readonly pods: number } | { readonly problem: string };

/** One list of the node's pods, as the agent would begin with, and what it would make of them beside the targets file. */
export async function probeDiscovery(settings: AgentSettings, file: TargetsFile | undefined): Promise<DiscoveryProbe> {
  const access = kubeAccess(settings, process.env);
  if (!access.ok) return { problem: access.error };
  const api = createKubeApi(access.value);
  const stop = new AbortController();
  const found = await new Promise<NodePods | string>((resolve) => {
    void watchPods({
      ...{ api, node: settings.node, namespace: settings.discoveryNamespace, signal: stop.signal, random: Math.random },
      onPods: resolve,
      onProblem: resolve,
      onGood: () => undefined,
      onRestart: () => undefined,
    });
  });
  stop.abort();
  api.close();
  if (typeof found === "string") return { problem: found };
  return { merged: targetsOf(settings.node, file, found), pods: found.pods.length };
}

export { leaseOf, type LeaseAnswer } from "./lease.ts";

/** Who leads the scalers, asked with the agent's own account. */
export async function probeLease(settings: AgentSettings, namespace: string, name: string): Promise<Result<LeaseAnswer, string>> {
  const access = kubeAccess(settings, process.env);
  if (!access.ok) return access;
  const api = createKubeApi(access.value);
  const answer = await readLease(api, namespace, name, AbortSignal.timeout(LEASE_TIMEOUT_MS));
  api.close();
  return answer;
}
