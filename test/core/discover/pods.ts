import type { Container, Pod } from "../../../core/discover/pod.ts";

export const container = (more: Partial<Container> = {}): Container => ({
  name: "main",
  image: "vllm/vllm-openai:v0.11.0",
  words: ["vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct"],
  env: {},
  ports: [{ port: 8000 }],
  gpus: 1,
  ...more,
});

export const pod = (more: Partial<Pod> = {}): Pod => ({
  namespace: "serving",
  name: "llama-prefill-0",
  uid: "6c1b7a2e-1111-4222-8333-444455556666",
  labels: {},
  annotations: {},
  createdAt: 1_795_000_000,
  deleting: false,
  ended: false,
  ready: true,
  ip: "10.0.0.12",
  owner: { kind: "StatefulSet", name: "llama-prefill" },
  containers: [container()],
  ...more,
});
