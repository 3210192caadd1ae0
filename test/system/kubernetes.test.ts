import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import type { PageDecision } from "../../wire/page.ts";
import { connectAgent, hello } from "../scaler/support/agent-client.ts";
import { report } from "../scaler/support/reports.ts";
import { until } from "../scaler/support/wait.ts";
import { status } from "../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../support/kube-api/server.ts";
import { startWorkload, type Workload } from "../support/kube-api/workload.ts";
import { overload } from "../support/overload.ts";
import { rightsOf } from "../support/rights.ts";

const OBSERVE = [...rightsOf("base/scaler-rbac.yaml", "ClusterRole", "Role")];
const ENFORCE = [...OBSERVE, ...rightsOf("components/act/rbac.yaml", "ClusterRole")];

const policy = (namespace: string, mode: string): string => `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama, namespace: ${namespace} }
spec:
  mode: ${mode}
  objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }
  budget: { gpus: 16 }
  pools:
    prefill: { target: { apiVersion: apps/v1, kind: Deployment, name: prefill }, replicas: { min: 1, max: 8 } }
    decode: { target: { apiVersion: apps/v1, kind: Deployment, name: decode }, replicas: { min: 1, max: 8 } }
  behavior: { interval: 500ms }
`;

const pools = (namespace: string, workloads: readonly Workload[]) => {
  const pods = (role: string) =>
    workloads
      .find((w) => w.name === role)
      ?.pods()
      .map((p) => p.metadata.name) ?? [];
  return overload(namespace, { prefill: pods("prefill"), decode: pods("decode") });
};

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** An API server that grants what the manifests grant. */
async function cluster(rights: readonly string[]): Promise<KubeApiServer> {
  const server = await startKubeApi();
  cleanups.push(() => server.close());
  server.fault = ({ verb, resource, group }) =>
    rights.includes(`${verb} ${resource} ${group}`) ? undefined : status(403, "Forbidden", `${verb} of ${resource} is not granted`);
  return server;
}

/** The program as the image starts it, with the policies of two namespaces; answers with its port. */
async function startScaler(server: KubeApiServer): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-cluster-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const policies = join(directory, "policies.yaml");
  writeFileSync(policies, [policy("watched", "observe"), policy("scaled", "enforce")].join("---\n"));
  const flags = { actuator: "kubernetes", kubeconfig: server.kubeconfig, policies, journal: join(directory, "journal"), port: "0" };
  const args = ["scaler", ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  cleanups.push(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return until("the scaler's port", () => {
    const found = /"port":(\d+)[^\n]*scaler: listening/.exec(said)?.[1];
    return found === undefined ? undefined : Number(found);
  });
}

/** Loads both namespaces alike, until there is a decision of that outcome in each. */
async function decided(server: KubeApiServer, outcomes: Readonly<Record<string, string>>): Promise<PageDecision[]> {
  const namespaces = ["watched", "scaled"];
  const fleet = new Map(
    namespaces.map((namespace) => [
      namespace,
      ["prefill", "decode"].map((name) => startWorkload(server, "Deployment", name, { namespace, replicas: 1 })),
    ]),
  );
  const port = await startScaler(server);
  const agent = await connectAgent(`ws://127.0.0.1:${port}/agents`);
  agent.send(hello());
  await agent.next("welcome");
  let seq = 0;
  return until("the decisions", async () => {
    const loaded = [...fleet].flatMap(([namespace, workloads]) => pools(namespace, workloads));
    agent.send(report({ seq: seq++, at: Date.now() / 1000, interval: 0.25, pools: loaded }));
    await agent.next("ack");
    const told = (await (await fetch(`http://127.0.0.1:${port}/api/decisions?limit=500`)).json()) as PageDecision[];
    const found = namespaces.map((namespace) =>
      told.find(
        ({ policy: name, decision, outcome }) =>
          name === `${namespace}/llama` && outcome === outcomes[namespace] && decision.pools.prefill.replicas > 1,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 250));
    return found.every((d) => d !== undefined) ? found : undefined;
  });
}

const writes = (server: KubeApiServer): string[] =>
  server.calls
    .filter((call) => !["get", "list", "watch"].includes(call.verb) && call.resource !== "leases" && call.resource !== "configmaps")
    .map(({ verb, resource, namespace, name, status: answer }) => `${verb} ${resource} ${namespace}/${name}: ${answer}`);
const wanted = (server: KubeApiServer, namespace: string): unknown =>
  server.store.get("deployments.apps", namespace, "prefill")?.spec?.["replicas"];

describe("the scaler as the manifests start it, on a cluster that grants what they grant", () => {
  it("with the rights of overlay observe it sees counts and recommends, and nothing is written, whatever a policy says", async () => {
    const server = await cluster(OBSERVE);
    const [, refused] = await decided(server, { watched: "observe", scaled: "failed" });
    expect(refused?.error).toContain("is not granted");
    expect(writes(server)).toEqual([]);
    expect([wanted(server, "watched"), wanted(server, "scaled")]).toEqual([1, 1]);
  }, 60_000);

  it("with the rights of overlay enforce a scale-up reaches the target's scale, and only where the policy enforces", async () => {
    const server = await cluster(ENFORCE);
    await decided(server, { watched: "observe", scaled: "applied" });
    expect(wanted(server, "scaled")).toBeGreaterThan(1);
    expect(wanted(server, "watched")).toBe(1);
    const written = writes(server);
    expect(written).toContain("patch deployments/scale scaled/prefill: 200");
    expect(written.filter((call) => !/^patch deployments\/scale scaled\/(prefill|decode): 200$/.test(call))).toEqual([]);
    expect(server.calls.filter((call) => call.status === 403)).toEqual([]);
  }, 60_000);
});
