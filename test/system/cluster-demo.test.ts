import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { HOME } from "../../scripts/gates/command.ts";
import { connectAgent } from "../scaler/support/agent-client.ts";
import { until } from "../scaler/support/wait.ts";
import { component, needs } from "../support/components.ts";
import { startControllers } from "../support/kube-api/controllers.ts";
import { openDoor } from "../support/kube-api/door.ts";
import { KINDS, MANIFEST_KINDS } from "../support/kube-api/kinds.ts";
import { addresses, startNode, type TestNode } from "../support/kube-api/node.ts";
import { refuseReviews } from "../support/kube-api/token-rights.ts";
import { status } from "../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../support/kube-api/server.ts";
import type { KubeObject } from "../support/kube-api/store.ts";
import { kustomized } from "../support/manifests.ts";

const kubectl = component("kubectl");
const DIST = join(HOME, "dist");
const NAMESPACE = "fulcrum-demo";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Cluster {
  readonly api: KubeApiServer;
  readonly node: TestNode;
  readonly kubeconfig: string;
}

/** An API server, without our custom resource unless Fulcrum is installed, with controllers and nobody who runs pods. */
async function apiServer(installed = false): Promise<Omit<Cluster, "node">> {
  const api = await startKubeApi("secret", [...KINDS.filter((k) => installed || k.group !== "fulcrum.dev"), ...MANIFEST_KINDS]);
  cleanups.push(() => api.close());
  const door = await openDoor(api.url);
  cleanups.push(() => door.close());
  const folder = mkdtempSync(join(tmpdir(), "fulcrum-demo-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const kubeconfig = join(folder, "config");
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "loopback" },
    contexts: [{ name: "loopback", context: { cluster: "loopback", user: "nobody" } }],
    clusters: [{ name: "loopback", cluster: { server: door.url } }],
    users: [{ name: "nobody", user: {} }],
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  return { api, kubeconfig };
}

/** The same with controllers, and a node that runs what pods say. */
async function cluster(): Promise<Cluster> {
  const server = await apiServer();
  server.api.fault = refuseReviews(server.api.store, { namespace: NAMESPACE, name: "fulcrum-scaler" });
  const node = startNode(server.api, DIST);
  const controllers = startControllers(server.api, addresses());
  cleanups.push(() => node.stop());
  cleanups.push(() => controllers.stop());
  return { ...server, node };
}

interface Demo {
  said(): string;
  interrupt(): void;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly said: string }>;
}

function demo({ kubeconfig }: Pick<Cluster, "kubeconfig">, ...args: string[]): Demo {
  const env = { ...process.env, KUBECONFIG: kubeconfig, FULCRUM_KUBECTL: kubectl ?? "", HOME: join(kubeconfig, "..") };
  const child = spawn(process.execPath, [join(DIST, "fulcrum.mjs"), "demo", "--kubernetes", ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, said] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<{ code: number | null; out: string; said: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, out, said })),
  );
  cleanups.push(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { said: () => said, interrupt: () => void child.kill("SIGINT"), ended };
}

const wanted = ({ api }: Cluster, role: string): number => Number(api.store.get("deployments.apps", NAMESPACE, role)?.spec?.["replicas"]);
const pods = ({ api }: Cluster, role: string): readonly KubeObject[] =>
  api.store.list("pods.", NAMESPACE).filter(({ metadata }) => metadata.name.startsWith(`${role}-`));
const left = ({ api }: Pick<Cluster, "api">): readonly string[] =>
  api.kinds.flatMap((k) => api.store.list(`${k.plural}.${k.group}`, "").map((o) => `${o.kind} ${o.metadata.name}`));

describe.skipIf(kubectl === undefined)(`fulcrum demo --kubernetes ${needs("kubectl")}`, () => {
  it("makes a namespace, engines and Fulcrum, which scales them as the load has it; Ctrl-C removes everything", async () => {
    const there = await cluster();
    const run = demo(there, "--yes", "--json", "--duration", "10m");
    const alive = Promise.race([run.ended.then(({ said }) => Promise.reject(new Error(said))), new Promise(() => undefined)]);
    alive.catch(() => undefined);
    const expectSoon = <T>(what: string, ask: () => T | undefined | Promise<T | undefined>, ms = 120_000): Promise<T> =>
      Promise.race([
        until(what, ask, ms).catch((error: unknown) => {
          throw new Error(`${String(error)}\n${run.said().slice(-3000)}\n${there.node.said("").slice(-6000)}`);
        }),
        alive as Promise<never>,
      ]);
    await expectSoon("a scale-up by Fulcrum", () => (wanted(there, "prefill") + wanted(there, "decode") > 2 ? true : undefined));
    // Real engines stand behind the new count: each pod's process serves its page, and Fulcrum's agent reads it.
    const role = wanted(there, "decode") > 1 ? "decode" : "prefill";
    const serving = await expectSoon("the new engines to serve", async () => {
      const now = pods(there, role);
      const texts = await Promise.all(
        now.map(async (pod) => {
          const answer = await fetch(`http://${String(pod.status?.["podIP"])}:8000/metrics`).catch(() => undefined);
          return answer?.ok === true ? answer.text() : "";
        }),
      );
      return now.length > 1 && texts.every((text) => text.includes("vllm:num_requests_running")) ? now : undefined;
    });
    expect(serving.length).toBeGreaterThan(1);
    // The reports it rests on came over a link that an agent's own token opened, and nothing else opens it.
    const reviews = there.api.calls.filter(({ resource }) => resource === "tokenreviews");
    expect(reviews.map((call) => call.status)).toContain(201);
    const [scaler] = pods(there, "fulcrum-scaler");
    const link = `ws://${String(scaler?.status?.["podIP"])}:8900/agents`;
    there.api.tokens.set("fulcrum-demo.fleet.fulcrum", { username: "system:serviceaccount:fulcrum-demo:default", audiences: ["fulcrum"] });
    await expect(connectAgent(link)).rejects.toThrow("401");
    await expect(connectAgent(link, { authorization: "Bearer fulcrum-demo.fleet.fulcrum" })).rejects.toThrow("401");
    await expectSoon("the change to be shown", () => (/(prefill|decode) 1 → \d/.test(run.said()) ? true : undefined));
    // Nothing looks beyond the namespace.
    const watches = there.api.calls.filter(({ verb, resource }) => verb === "watch" && resource !== "namespaces");
    expect(new Set(watches.map(({ namespace }) => namespace))).toEqual(new Set([NAMESPACE]));
    const scaled = there.api.calls.filter(({ verb, resource }) => verb === "patch" && resource === "deployments/scale");
    expect(scaled.filter(({ namespace }) => namespace !== NAMESPACE)).toEqual([]);
    run.interrupt();
    const { code, out, said } = await run.ended;
    expect(said).toContain(
      "makes namespace fulcrum-demo, and outside of it the right to review tokens (ClusterRole fulcrum-demo-admit) and the custom resource",
    );
    expect(said).toContain("removed namespace fulcrum-demo and scalingpolicies.fulcrum.dev");
    expect(code, said).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ context: "loopback", namespace: NAMESPACE, decided: true, left: null });
    expect(there.node.running()).toEqual([]);
    expect(left(there)).toEqual([]);
  }, 240_000);

  it("refuses a namespace that it did not make, and to go on unasked where nobody can be asked: nothing is written", async () => {
    const there = await apiServer();
    there.api.store.create("namespaces.", { apiVersion: "v1", kind: "Namespace", metadata: { name: "mine", namespace: "" } });
    const theirs = await demo(there, "--yes", "--namespace", "mine").ended;
    expect([theirs.code, theirs.said]).toEqual([2, expect.stringContaining("mine is not a demo's")]);
    const unasked = await demo(there).ended;
    expect([unasked.code, unasked.said]).toEqual([
      2,
      expect.stringMatching(/^Context loopback: makes namespace fulcrum-demo[^]*add --yes/),
    ]);
    expect(there.api.calls.filter(({ verb }) => !["get", "list"].includes(verb))).toEqual([]);
    const nowhere = await demo({ kubeconfig: join(there.kubeconfig, "..", "none") }, "--yes").ended;
    expect([nowhere.code, nowhere.said]).toEqual([2, expect.stringContaining("set KUBECONFIG")]);
  }, 60_000);

  it("where Fulcrum is installed already it brings engines and a policy only, and leaves what is not its own", async () => {
    const there = await apiServer(true);
    const controllers = startControllers(there.api, addresses());
    cleanups.push(() => controllers.stop());
    const env = [{ name: "FULCRUM_POLICY_OBJECTS", value: "all" }];
    const installed = { name: "fulcrum-scaler", namespace: "fulcrum", labels: { "app.kubernetes.io/name": "fulcrum-scaler" } };
    const spec = { replicas: 0, selector: { matchLabels: { a: "b" } }, template: { spec: { containers: [{ name: "scaler", env }] } } };
    there.api.store.create("deployments.apps", { apiVersion: "apps/v1", kind: "Deployment", metadata: installed, spec });
    const definition = { name: "scalingpolicies.fulcrum.dev", namespace: "" };
    const resource = "customresourcedefinitions.apiextensions.k8s.io";
    there.api.store.create(resource, { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: definition });

    const kept = await demo(there, "--yes", "--keep", "--duration", "1s", "--image", "example.org/fulcrum:9").ended;
    // Nobody ran anything, and it says so.
    expect([kept.code, kept.said]).toEqual([3, expect.stringContaining("the Fulcrum in namespace fulcrum")]);
    expect(kept.said).toContain("Kept. Remove it by: kubectl delete namespace fulcrum-demo");
    const made = there.api.store.list("deployments.apps", NAMESPACE);
    expect(made.map(({ metadata }) => metadata.name).toSorted()).toEqual(["decode", "fleet", "prefill"]);
    expect(there.api.store.list("scalingpolicies.fulcrum.dev", NAMESPACE)).toHaveLength(1);
    const texts = made.map((d) => JSON.stringify(d.spec));
    expect(texts.every((text) => text.includes('"image":"example.org/fulcrum:9"'))).toBe(true);
    expect(texts.filter((text) => text.includes("http://fulcrum-agent.fulcrum.svc:4318"))).toHaveLength(2);

    // No kubelet is here: what it would end is ended by hand.
    there.api.store.listen(({ resource: what, object }) => {
      if (what === "pods." && object.metadata["deletionTimestamp"] !== undefined)
        setImmediate(() => there.api.store.delete("pods.", object.metadata.namespace, object.metadata.name));
    });
    const again = await demo(there, "--yes", "--duration", "1s").ended;
    expect(again.said).toContain("a demo is there already, and begins anew");
    expect(again.said).toContain("removed namespace fulcrum-demo\n");
    expect(left(there)).toEqual(["Deployment fulcrum-scaler", "CustomResourceDefinition scalingpolicies.fulcrum.dev"]);
  }, 60_000);

  it("kept, it says what removes it; another run of it removes all of that, the right to review tokens too", async () => {
    const there = await apiServer();
    const controllers = startControllers(there.api, addresses());
    cleanups.push(() => controllers.stop());
    there.api.store.listen(({ resource, object }) => {
      if (resource === "pods." && object.metadata["deletionTimestamp"] !== undefined)
        setImmediate(() => there.api.store.delete("pods.", object.metadata.namespace, object.metadata.name));
    });
    const kept = await demo(there, "--yes", "--keep", "--duration", "1s", "--namespace", "elsewhere").ended;
    expect(kept.said).toContain(
      "Kept. Remove it by: kubectl delete namespace elsewhere; kubectl delete clusterrole,clusterrolebinding fulcrum-demo-admit-elsewhere; " +
        "kubectl delete customresourcedefinition scalingpolicies.fulcrum.dev\n",
    );
    const admit = left(there).filter((object) => object.startsWith("ClusterRole"));
    expect(admit).toEqual(["ClusterRole fulcrum-demo-admit-elsewhere", "ClusterRoleBinding fulcrum-demo-admit-elsewhere"]);
    // A namespace that cannot be removed keeps no right in the cluster.
    const removing = there.api.fault;
    there.api.fault = (call) =>
      call.verb === "delete" && call.resource === "namespaces" ? status(403, "Forbidden", "namespaces is forbidden") : removing(call);
    const stuck = await demo(there, "--yes", "--duration", "1s", "--namespace", "elsewhere").ended;
    expect([stuck.code, stuck.said]).toEqual([3, expect.stringContaining("namespace elsewhere is not gone")]);
    expect(left(there).filter((object) => object.startsWith("ClusterRole"))).toEqual([]);
    there.api.fault = removing;
    const again = await demo(there, "--yes", "--duration", "1s", "--namespace", "elsewhere").ended;
    expect(again.said).toContain("removed namespace elsewhere and scalingpolicies.fulcrum.dev\n");
    expect(left(there)).toEqual([]);
  }, 60_000);

  it("prints what kubectl apply -k deploy/demo would apply, for another namespace and image too", async () => {
    const nowhere = { kubeconfig: "/dev/null" };
    const parsed = (text: string): unknown[] => parseAllDocuments(text).map((document) => document.toJS() as unknown);
    const printed = await demo(nowhere, "--dry-run").ended;
    expect(printed.code, printed.said).toBe(0);
    expect(parsed(printed.out)).toEqual(kustomized(kubectl ?? "", "demo"));
    const moved = await demo(nowhere, "--dry-run", "--namespace", "elsewhere", "--image", "example.org/fulcrum:9").ended;
    expect(moved.out).not.toMatch(/fulcrum:0\.1\.0|fulcrum-demo\//);
    expect(moved.out).toContain("elsewhere/fulcrum-agent");
    for (const object of parsed(moved.out) as KubeObject[]) {
      if (object.kind === "CustomResourceDefinition") continue;
      const clusterWide = object.kind.startsWith("ClusterRole");
      if (clusterWide) expect(object.metadata.name).toBe("fulcrum-demo-admit-elsewhere");
      if (object.kind === "ClusterRoleBinding") expect(object["roleRef"]).toMatchObject({ name: "fulcrum-demo-admit-elsewhere" });
      if (!clusterWide) expect(object.kind === "Namespace" ? object.metadata.name : object.metadata.namespace).toBe("elsewhere");
      const { subjects = [] } = object as { subjects?: readonly { namespace: string }[] };
      expect(subjects.map(({ namespace }) => namespace).filter((namespace) => namespace !== "elsewhere")).toEqual([]);
    }
  }, 60_000);

  it("takes options of one kind of demo only", async () => {
    const { code, said } = await demo({ kubeconfig: "/dev/null" }, "--trace", "x.csv", "--rate", "2").ended;
    expect([code, said.trim()]).toEqual([2, "--trace, --rate: not with --kubernetes"]);
  });
});
