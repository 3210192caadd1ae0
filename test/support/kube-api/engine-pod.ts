import type { KubeApiServer } from "./server.ts";
import type { Fields, Json, KubeObject } from "./store.ts";

export interface EnginePod {
  readonly namespace?: string;
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly image?: string;
  readonly command?: readonly string[];
  /** Where its page is; a pod has one address, so several on one machine differ by port. */
  readonly address?: { readonly ip: string; readonly port: number };
  readonly ready?: boolean;
  readonly gpus?: number;
}

/** A pod as the API server has it once the kubelet runs it: an engine that nobody faked a targets file for. */
export function createEnginePod(server: KubeApiServer, name: string, pod: EnginePod = {}): KubeObject {
  const { namespace = "serving", node = "node-a", owner = { kind: "StatefulSet", name: name.replace(/-\d+$/, "") }, ready = true } = pod;
  const { ip, port } = pod.address ?? { ip: "127.0.0.1", port: 8000 };
  const resources: Fields = pod.gpus === undefined ? {} : { limits: { "nvidia.com/gpu": String(pod.gpus) } };
  const container: Fields = {
    ...{ name: "engine", image: pod.image ?? "vllm/vllm-openai:v0.11.0", resources },
    command: [...(pod.command ?? ["vllm", "serve", "llama-8b"])],
    ports: [{ name: "http", containerPort: port, protocol: "TCP" }],
  };
  return server.store.create("pods.", {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: {
      ...{ name, namespace, labels: { ...pod.labels }, annotations: { ...pod.annotations } },
      ownerReferences: [{ ...owner, apiVersion: "apps/v1", controller: true, uid: "1" }],
    },
    spec: { nodeName: node, containers: [container] },
    status: { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  });
}

/** Changes a pod as the kubelet or an operator does. */
export function changePod(server: KubeApiServer, name: string, change: Readonly<Record<string, Json>>, namespace = "serving"): void {
  server.store.update("pods.", namespace, name, (object) => {
    const metadata = { ...object.metadata, ...(change["metadata"] as Fields | undefined) };
    return { ...object, ...change, metadata };
  });
}
