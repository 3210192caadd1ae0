import { podSpec } from "./shapes.ts";

/** A policy of two Deployments, that decides twice a second. */
export const policyOf = (namespace: string, mode: string): unknown => ({
  apiVersion: "fulcrum.dev/v1alpha1",
  kind: "ScalingPolicy",
  metadata: { name: "llama", namespace },
  spec: {
    mode,
    objectives: { ttft: { target: "500ms" }, itl: { target: "30ms" } },
    budget: { gpus: 16 },
    pools: Object.fromEntries(
      ["prefill", "decode"].map((name) => [
        name,
        { target: { apiVersion: "apps/v1", kind: "Deployment", name }, replicas: { min: 1, max: 4 } },
      ]),
    ),
    behavior: { interval: "500ms" },
  },
});

/** The Deployment of a role, with one replica. */
export const deploymentOf = (namespace: string, role: string): unknown => {
  const labels = { app: "llama", role };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: role, namespace },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
  };
};
