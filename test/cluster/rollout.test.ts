import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import { until } from "../scaler/support/wait.ts";
import { ownControlPlane } from "../support/cluster/own.ts";
import { component, needs } from "../support/components.ts";

/**
 * `kubectl apply -k`, in earnest: admission (pod security, quotas, service accounts), controllers, scheduler and kubelet take what the
 * manifests say, and every pod of theirs comes to run. What runs in them is nothing: the nodes have no containers.
 */
const plane = ownControlPlane();
const kubectl = component("kubectl");
const run = promisify(execFile);
const kube = async (...args: readonly string[]): Promise<string> =>
  (await run(kubectl ?? "", ["--kubeconfig", plane?.kubeconfig ?? "", ...args], { maxBuffer: 1 << 24 })).stdout;
const CRD = join(HOME, "deploy", "base", "crd", "scalingpolicies.yaml");

/** What a cluster has beside them: the GPU operator's runtime class and namespace. */
const OVERLAYS = ["observe", "enforce", "keda", "dcgm-exporter", "nvml"];
const EXAMPLES = ["vllm", "sglang", "llm-d"];
/** Beside overlays/observe, one by one; `act` is what overlays/enforce adds. */
const COMPONENTS = readdirSync(join(HOME, "deploy", "components")).toSorted();
/** Their pods wait for what only the user can give, or nobody here makes: secrets, a volume, a certificate; an init container to end. */
const WAITING = new Set(["agent-certificates", "agent-token", "dcgm", "journal-volume", "page-tokens", "tls", "write-tokens"]);

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: { readonly phase: string };
}

/** Until all replicas that its workloads ask for are there, and ready. */
async function rolledOut(namespace: string): Promise<readonly string[]> {
  for (const kind of ["deployment", "daemonset", "statefulset"]) {
    const names = (await kube("get", kind, "-n", namespace, "-o", "name")).split("\n").filter(Boolean);
    for (const name of names) await kube("rollout", "status", name, "-n", namespace, "--timeout=90s");
  }
  return until(
    "all pods to run",
    async () => {
      const { items } = JSON.parse(await kube("get", "pods", "-n", namespace, "-o", "json")) as { items: Pod[] };
      return items.every(({ status }) => status.phase === "Running") ? items.map(({ metadata }) => metadata.name) : undefined;
    },
    90_000,
  );
}

const refusals = async (namespace: string): Promise<string> =>
  kube("get", "events", "-n", namespace, "--field-selector", "reason=FailedCreate", "-o", "jsonpath={.items[*].message}");

describe.skipIf(plane === undefined || kubectl === undefined)(
  `manifests in earnest [needs npm run test:cluster:real] ${needs("kubectl")}`,
  () => {
    beforeAll(async () => {
      const runtime = { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name: "nvidia" }, handler: "nvidia" };
      const others = ["gpu-operator", "serving"].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
      const child = run(kubectl ?? "", ["--kubeconfig", plane?.kubeconfig ?? "", "apply", "-f", "-"]);
      child.child.stdin?.end(JSON.stringify({ apiVersion: "v1", kind: "List", items: [runtime, ...others] }));
      await child;
    }, 60_000);
    afterAll(async () => {
      await kube("delete", "namespace", "gpu-operator", "serving", "--ignore-not-found", "--timeout=90s");
      await kube("delete", "runtimeclass", "nvidia", "--ignore-not-found");
      await kube("delete", "-f", CRD, "--ignore-not-found");
    }, 60_000);

    it.each(OVERLAYS)(
      "overlay %s: two scalers and an agent on every node come to run, and nothing is left when it is deleted",
      async (name) => {
        const folder = join(HOME, "deploy", "overlays", name);
        await kube("apply", "-k", folder);
        const pods = await rolledOut("fulcrum");
        expect(pods.filter((pod) => pod.startsWith("fulcrum-scaler-"))).toHaveLength(2);
        expect(pods.filter((pod) => pod.startsWith("fulcrum-agent-"))).toHaveLength(2);
        expect(await refusals("fulcrum")).toBe("");
        await kube("delete", "-k", folder, "--timeout=90s");
        expect(await kube("get", "clusterrole,clusterrolebinding,crd,namespace", "-o", "name")).not.toContain("fulcrum");
      },
      240_000,
    );

    it.each(COMPONENTS)(
      "component %s beside overlays/observe: everything is taken, its pods run unless they wait for a secret or volume, and nothing is left",
      async (name) => {
        const folder = join(HOME, ".run", "rollout", name);
        mkdirSync(folder, { recursive: true });
        const up = "../../../deploy";
        const lines = ["kind: Kustomization", `resources: [${up}/overlays/observe]`, `components: [${up}/components/${name}]`, ""];
        writeFileSync(join(folder, "kustomization.yaml"), lines.join("\n"));
        try {
          await kube("apply", "-k", folder);
          if (!WAITING.has(name)) expect((await rolledOut("fulcrum")).length).toBeGreaterThanOrEqual(3);
          expect(await refusals("fulcrum")).toBe("");
        } finally {
          await kube("delete", "-k", folder, "--ignore-not-found", "--timeout=90s");
          rmSync(folder, { recursive: true });
        }
        expect(await kube("get", "clusterrole,clusterrolebinding,crd,namespace", "-o", "name")).not.toContain("fulcrum");
      },
      240_000,
    );

    it("overlay tls is taken whole beside cert-manager's kinds", async () => {
      const folder = join(HOME, "deploy", "overlays", "tls");
      await kube("apply", "-k", folder);
      expect(await kube("get", "certificates,issuers", "-n", "fulcrum", "-o", "name")).toMatch(/certificate\S*\nissuer/s);
      expect(await refusals("fulcrum")).toBe("");
      await kube("delete", "-k", folder, "--timeout=90s");
    }, 120_000);

    it("the demo's manifests, the definition first: everything runs in its own namespace, and what kubernetes.md says removes it", async () => {
      await kube("apply", "-f", CRD);
      await kube("wait", "--for=condition=established", "crd/scalingpolicies.fulcrum.dev", "--timeout=60s");
      await kube("apply", "-k", join(HOME, "deploy", "demo"));
      const pods = await rolledOut("fulcrum-demo");
      for (const part of ["prefill-", "decode-", "fleet-", "fulcrum-scaler-", "fulcrum-agent-"])
        expect(pods.some((pod) => pod.startsWith(part))).toBe(true);
      expect(await refusals("fulcrum-demo")).toBe("");
      expect(await kube("get", "scalingpolicies", "-n", "fulcrum-demo", "-o", "name")).toContain("scalingpolicy.fulcrum.dev/demo");
      await kube("delete", "namespace", "fulcrum-demo", "--timeout=90s");
      await kube("delete", "clusterrole,clusterrolebinding", "fulcrum-demo-admit");
      await kube("delete", "-f", CRD);
      expect(await kube("get", "clusterrole,clusterrolebinding,crd,namespace", "-o", "name")).not.toContain("fulcrum");
    }, 240_000);

    it("the ScaledObjects of the KEDA example are what KEDA's definition takes", async () => {
      const folder = join(HOME, "deploy", "examples", "keda");
      await kube("apply", "--validate=strict", "-k", folder);
      expect((await kube("get", "scaledobjects", "-n", "serving", "-o", "name")).split("\n").filter(Boolean).length).toBeGreaterThanOrEqual(
        2,
      );
      await kube("delete", "-k", folder, "--timeout=90s");
    }, 120_000);

    it("the KServe example is what KServe's definition takes, its policy too", async () => {
      await kube("apply", "-f", CRD);
      await kube("wait", "--for=condition=established", "crd/scalingpolicies.fulcrum.dev", "--timeout=60s");
      const folder = join(HOME, "deploy", "examples", "kserve");
      await kube("apply", "--validate=strict", "-k", folder);
      expect(await kube("get", "llminferenceservices,scalingpolicies", "-n", "serving", "-o", "name")).toMatch(
        /llminference.*scalingpolicy/s,
      );
      await kube("delete", "-k", folder, "--timeout=90s");
    }, 120_000);

    it.each(EXAMPLES)(
      "example %s: its engines come to run, and its policy is taken",
      async (name) => {
        await kube("apply", "-f", CRD);
        await kube("wait", "--for=condition=established", "crd/scalingpolicies.fulcrum.dev", "--timeout=60s");
        const folder = join(HOME, "deploy", "examples", name);
        await kube("apply", "-k", folder);
        expect((await rolledOut("serving")).length).toBeGreaterThanOrEqual(2);
        expect(await refusals("serving")).toBe("");
        expect(await kube("get", "scalingpolicies", "-n", "serving", "-o", "name")).toMatch(/scalingpolicy\.fulcrum\.dev\//);
        await kube("delete", "-k", folder, "--timeout=90s");
        await until(
          "the pods to end",
          async () => ((await kube("get", "pods", "-n", "serving", "-o", "name")) === "" ? true : undefined),
          90_000,
        );
      },
      240_000,
    );
  },
);
