import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentSettings } from "../../../agent/config.ts";
import { agentSettingsSchema } from "../../../agent/config.ts";
import { examine } from "../../../cli/doctor/checks.ts";
import { changePod, createEnginePod, type EnginePod } from "../../support/kube-api/engine-pod.ts";
import { status } from "../../support/kube-api/respond.ts";
import { type KubeApiServer, startKubeApi } from "../../support/kube-api/server.ts";
import { engineTarget, poolOf, startAgent, type TestAgent } from "../support/agent.ts";
import { type PageServer, servePage, vllmPage } from "../support/pages.ts";
import { reportWhere, startScaler } from "../support/scaler.ts";
import { until } from "../support/until.ts";

let api: KubeApiServer;
let account: string;
const open: (() => Promise<void>)[] = [];

beforeEach(async () => {
  api = await startKubeApi();
  account = await mkdtemp(join(tmpdir(), "fulcrum-account-"));
  await writeFile(join(account, "token"), "secret\n");
});
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
  await api.close();
  await rm(account, { recursive: true, force: true });
});

const found = (more: Partial<AgentSettings> = {}): Partial<AgentSettings> => ({
  ...{ targets: undefined, discovery: "kubernetes", kubeApi: api.url, serviceAccount: account },
  ...more,
});
async function agent(
  settings: Partial<AgentSettings>,
  ...targets: Parameters<typeof startAgent> extends [unknown, ...infer T] ? T : never
): Promise<TestAgent> {
  const a = await startAgent(settings, ...targets);
  open.push(() => a.stop());
  return a;
}
async function page(tokens = 1): Promise<PageServer> {
  const server = await servePage(vllmPage({ tokens, running: 3 }));
  open.push(() => server.close());
  return server;
}
const at = (server: PageServer): NonNullable<EnginePod["address"]> => ({ ip: "127.0.0.1", port: Number(new URL(server.url).port) });
const DECODE = { "llm-d.ai/role": "decode" };

interface Targets {
  readonly engines: readonly { readonly pod: string; readonly phase: string; readonly role: string }[];
  readonly unattributed: readonly { readonly pod: string; readonly reason: string; readonly detail: string }[];
  readonly conflicts: readonly string[];
}
const targetsOf = async (a: TestAgent): Promise<Targets> => (await (await a.get("/targets")).json()) as Targets;
const podsOf = async (a: TestAgent): Promise<string[]> => (await targetsOf(a)).engines.map((e) => `${e.pod} ${e.phase}`);
const seen = (a: TestAgent, ...pods: string[]): Promise<string[]> =>
  until(pods.join(), async () => {
    const now = (await podsOf(a)).toSorted();
    return JSON.stringify(now) === JSON.stringify(pods.toSorted()) ? now : undefined;
  });
const watches = (): number => api.calls.filter((c) => c.verb === "watch" && c.status === 200).length;
const lists = (): number => api.calls.filter((c) => c.verb === "list").length;

describe("an agent on Kubernetes", () => {
  it("reads the engines of its own node's pods without a targets file, and reports them under their pools", async () => {
    const engine = await page();
    createEnginePod(api, "llama-decode-0", { labels: DECODE, address: at(engine) });
    createEnginePod(api, "elsewhere-0", { labels: DECODE, node: "node-b" });
    const s = await startScaler();
    open.push(() => s.stop());
    const a = await agent(found({ scalerUrl: s.url }));
    const report = await reportWhere(s, "gauges", (r) => poolOf(r, "llama-decode")?.replicas[0]?.gauges.running === 3);
    expect(poolOf(report, "llama-decode")).toMatchObject({
      namespace: "serving",
      role: "decode",
      model: "llama-8b",
      engine: "vllm",
      replicas: [{ pod: "llama-decode-0", phase: "ready" }],
    });
    expect(report.pools).toHaveLength(1);
    expect(report.sources.find((x) => x.source === "targets")).toMatchObject({ target: "pods of node-a", up: true });
    expect((await a.get("/readyz")).status).toBe(200);
    const asked = api.calls.map((c) => `${c.verb} ${c.resource} ${c.namespace} ${c.query.get("fieldSelector") ?? ""}`);
    expect(new Set(asked)).toEqual(new Set(["list pods  spec.nodeName=node-a", "watch pods  spec.nodeName=node-a"]));
  });

  it("looks into one namespace only where it is told to, by a right in it alone", async () => {
    api.fault = ({ namespace }) => (namespace === "demo" ? undefined : status(403, "Forbidden", "pods is forbidden at the cluster scope"));
    createEnginePod(api, "d-0", { namespace: "demo", labels: DECODE });
    createEnginePod(api, "other-0", { labels: DECODE });
    const a = await agent(found({ discoveryNamespace: "demo" }));
    await seen(a, "d-0 ready");
    createEnginePod(api, "d-1", { namespace: "demo", labels: DECODE });
    await seen(a, "d-0 ready", "d-1 ready");
    expect(api.calls.filter((call) => call.status === 403)).toEqual([]);
  });

  it("follows pods as they come, become ready, are labelled, drain and go", async () => {
    const a = await agent(found());
    await seen(a);
    createEnginePod(api, "d-0", { labels: DECODE, ready: false });
    await seen(a, "d-0 starting");
    changePod(api, "d-0", { status: { phase: "Running", podIP: "127.0.0.1", conditions: [{ type: "Ready", status: "True" }] } });
    createEnginePod(api, "new-0");
    await seen(a, "d-0 ready");
    expect((await targetsOf(a)).unattributed).toMatchObject([{ pod: "new-0", reason: "no-role" }]);
    changePod(api, "new-0", { metadata: { labels: { "llm-d.ai/role": "prefill" } } });
    await seen(a, "d-0 ready", "new-0 ready");
    changePod(api, "d-0", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } });
    await seen(a, "d-0 draining", "new-0 ready");
    api.store.delete("pods.", "serving", "d-0");
    await seen(a, "new-0 ready");
    expect(lists()).toBe(1);
  });

  it("says which pods it cannot place, on /targets and as a metric, and reads the others", async () => {
    createEnginePod(api, "good-0", { labels: DECODE });
    createEnginePod(api, "plain-0");
    createEnginePod(api, "torn-0", {
      labels: DECODE,
      command: ["vllm", "serve", "m", "--kv-transfer-config", '{"kv_role":"kv_producer"}'],
    });
    createEnginePod(api, "train-0", { image: "pytorch/pytorch:2", command: ["torchrun"], gpus: 8 });
    createEnginePod(api, "web-0", { image: "nginx:1", command: [] });
    api.store.create("pods.", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "odd-0", namespace: "x" },
      spec: { nodeName: "node-a", containers: "none" },
    });
    const a = await agent(found());
    await seen(a, "good-0 ready");
    expect((await targetsOf(a)).unattributed.map((u) => [u.pod, u.reason])).toEqual([
      ["plain-0", "no-role"],
      ["torn-0", "ambiguous-role"],
      ["train-0", "no-engine"],
      ["odd-0", "unreadable"],
    ]);
    const metrics = await a.metrics();
    for (const [reason, count] of [
      ["no-role", 1],
      ["ambiguous-role", 1],
      ["no-engine", 1],
      ["unreadable", 1],
      ["no-pool", 0],
    ])
      expect(metrics).toContain(`fulcrum_agent_pods_unattributed{reason="${reason}"} ${count}`);
  });

  it("mixes with a targets file: the file wins, and a disagreement is told", async () => {
    createEnginePod(api, "d-0", { labels: DECODE });
    createEnginePod(api, "d-1", { labels: DECODE });
    const written = engineTarget("http://127.0.0.1:9/metrics", { namespace: "serving", pod: "d-0", pool: "mine", role: "prefill" });
    // No `targets: undefined`: the helper's own file is used.
    const { targets: _, ...settings } = found();
    const a = await agent(settings, { engines: [written] });
    await seen(a, "d-0 ready", "d-1 ready");
    const { engines, conflicts } = await targetsOf(a);
    expect(engines.find((e) => e.pod === "d-0")?.role).toBe("prefill");
    expect(conflicts).toEqual([expect.stringContaining("serving/d-0: the targets file says (mine, prefill")]);
  });
});

describe("the watch of pods", () => {
  it("goes on where it ended, without a second list, and follows bookmarks over a compaction", async () => {
    const a = await agent(found());
    await until("a watch", () => (api.watches.size === 1 ? true : undefined));
    for (const end of ["end", "cut"] as const) {
      const before = watches();
      for (const watch of [...api.watches]) watch[end]();
      createEnginePod(api, `${end}-0`, { labels: DECODE });
      await until("the next watch", () => (watches() > before ? true : undefined), 5000);
      await until("the pod", async () => ((await podsOf(a)).includes(`${end}-0 ready`) ? true : undefined));
    }
    // Somebody else's objects move the version on; the bookmark tells, so that what is compacted was seen.
    api.store.create("events.", { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "x" } });
    api.store.compact();
    for (const watch of api.watches) watch.bookmark();
    const before = watches();
    for (const watch of [...api.watches]) watch.end();
    await until("the next watch", () => (watches() > before ? true : undefined), 5000);
    createEnginePod(api, "after-0", { labels: DECODE });
    await until("the pod", async () => ((await podsOf(a)).includes("after-0 ready") ? true : undefined));
    expect(lists()).toBe(1);
    expect(await a.metrics()).toContain('fulcrum_agent_pod_watch_restarts_total{reason="broken"} 1');
  });

  it("lists anew when the server has forgotten what it saw last (410), and loses nothing", async () => {
    createEnginePod(api, "d-0", { labels: DECODE });
    const a = await agent(found());
    await seen(a, "d-0 ready");
    await until("a watch", () => (api.watches.size === 1 ? true : undefined));
    // Away while everything changes.
    api.fault = () => "cut";
    for (const watch of [...api.watches]) watch.cut();
    api.store.delete("pods.", "serving", "d-0");
    createEnginePod(api, "d-1", { labels: DECODE });
    api.store.compact();
    await until("the loss", async () =>
      (await a.metrics()).includes('fulcrum_source_up{source="targets",target="pods of node-a"} 0') ? true : undefined,
    );
    // Until it knows better, what it last knew is read.
    expect(await podsOf(a)).toEqual(["d-0 ready"]);
    api.fault = () => undefined;
    await seen(a, "d-1 ready");
    expect(await a.metrics()).toContain('fulcrum_agent_pod_watch_restarts_total{reason="expired"} 1');
    // The memory of a server may be as old as ours: the second list does not ask for it.
    expect(api.calls.filter((c) => c.verb === "list").map((c) => c.query.get("resourceVersion"))).toEqual(["0", null]);
  });

  it("presents the token as it is now: the kubelet renews it in its file", async () => {
    const a = await agent(found());
    await until("a watch", () => (api.watches.size === 1 ? true : undefined));
    api.token = "renewed";
    await writeFile(join(account, "token"), "renewed");
    for (const watch of [...api.watches]) watch.end();
    createEnginePod(api, "d-0", { labels: DECODE });
    await seen(a, "d-0 ready");
    expect(await a.metrics()).not.toContain('reason="refused"');
  });

  it("without the right it says so and which, and goes on asking, ever less often", async () => {
    api.fault = ({ resource }) => (resource === "pods" ? status(403, "Forbidden", "pods is forbidden") : undefined);
    const started = agent(found());
    await until("a refusal", () => (lists() > 0 ? true : undefined));
    api.fault = () => undefined;
    const a = await started;
    await until("ready", async () => ((await a.get("/readyz")).status === 200 ? true : undefined));
    expect(await a.metrics()).toMatch(/fulcrum_agent_pod_watch_restarts_total\{reason="refused"\} [1-9]/);
  });
});

describe("fulcrum doctor", () => {
  const says = async (more: Partial<AgentSettings> = {}): Promise<string[]> => {
    const settings = agentSettingsSchema.parse({
      node: "node-a",
      discovery: "kubernetes",
      kubeApi: api.url,
      serviceAccount: account,
      gpuReader: "off",
    });
    const findings = await examine({ ...settings, ...more }, process.version);
    return findings.map(({ standing, what, how, mend }) => `${standing} ${what}: ${how}; ${mend ?? ""}`);
  };

  it("lists what discovery finds, and each pod it cannot place with the mend", async () => {
    const engine = await page();
    createEnginePod(api, "d-0", { labels: DECODE, address: at(engine) });
    createEnginePod(api, "plain-0");
    const lines = await says();
    expect(lines).toContainEqual("good pods of node-a: 2 pods, 1 engines, 0 GPU pages; ");
    expect(lines).toContainEqual(
      expect.stringMatching(/^warning pod serving\/plain-0: in no pool \(no-role\); .*annotate fulcrum\.dev\/role/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^good engine d-0 .*vllm decode page/));
  });

  it("says who leads the scalers, since when, and whether the lease is still renewed", async () => {
    const spec = {
      holderIdentity: "fulcrum-scaler-7f-x2_0b9f1d1e-0000-4000-8000-000000000000",
      acquireTime: "2026-01-01T00:00:00.000000Z",
    };
    const said = async (): Promise<string | undefined> => (await says()).find((line) => line.includes("lease "));
    expect(await said()).toMatch(/^warning lease fulcrum\/fulcrum-scaler: there is none/);
    const metadata = { name: "fulcrum-scaler", namespace: "fulcrum" };
    const lease = api.store.create("leases.coordination.k8s.io", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
    // As its holder does.
    const renew = setInterval(() => api.store.replace("leases.coordination.k8s.io", lease), 200);
    expect(await said()).toBe(
      "good lease fulcrum/fulcrum-scaler: fulcrum-scaler-7f-x2 leads since 2026-01-01T00:00:00.000000Z, and renews it; ",
    );
    clearInterval(renew);
    expect(await said()).toMatch(
      /^bad lease fulcrum\/fulcrum-scaler: fulcrum-scaler-7f-x2 leads since 2026.*has not renewed it for 7 s.*FulcrumNoLeader/,
    );
    api.store.replace("leases.coordination.k8s.io", { ...lease, spec: { ...spec, holderIdentity: "" } });
    expect(await said()).toMatch(/^warning lease fulcrum\/fulcrum-scaler: held by nobody/);
    // A namespace of its own, as the kubelet mounts it.
    await writeFile(join(account, "namespace"), "elsewhere");
    expect(await said()).toMatch(/^warning lease elsewhere\/fulcrum-scaler: there is none/);
    // What the manifests grant the agent.
    api.fault = ({ resource }) => (resource === "leases" ? status(403, "Forbidden", "leases is forbidden") : undefined);
    expect(await said()).toMatch(/^good lease elsewhere\/fulcrum-scaler: not asked: .*--kubeconfig/);
    api.fault = ({ resource }) => (resource === "leases" ? status(500, "InternalError", "etcd") : undefined);
    expect(await said()).toMatch(/^bad lease elsewhere\/fulcrum-scaler: .*500 etcd/);
  }, 60_000);

  it("says what is wrong with the account", async () => {
    api.token = "another";
    expect(await says()).toContainEqual(expect.stringMatching(/^bad pods of node-a: .*401/));
    expect(await says({ serviceAccount: "/nowhere" })).toContainEqual(expect.stringMatching(/^bad pods of node-a: ENOENT.*token/));
  });
});
