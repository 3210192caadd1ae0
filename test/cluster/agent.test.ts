import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { CoordinationV1Api } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startEngineProcess } from "../../fleet/engine-process.ts";
import { HOME } from "../../scripts/gates/command.ts";
import { poolOf } from "../agent/support/agent.ts";
import { reportWhere, startScaler } from "../agent/support/scaler.ts";
import { ownControlPlane, type OwnControlPlane } from "../support/cluster/own.ts";
import { kubeConfigOf } from "../support/cluster/real.ts";
import { component, needs } from "../support/components.ts";

/**
 * The agent under the token of its service account and the shipped rights, on a real API server. Its node is one without a kubelet: the
 * test says, as a kubelet would, that the pods on it run, and that their address is the one where an engine really serves.
 */
const plane = ownControlPlane();
const kubectl = component("kubectl");
const run = promisify(execFile);
const own = (): OwnControlPlane => plane ?? fail();
function fail(): never {
  throw new Error("these tests need a control plane of their own");
}
const kube = async (...args: readonly string[]): Promise<string> =>
  (await run(kubectl ?? "", ["--kubeconfig", own().kubeconfig, ...args])).stdout;
const OVERLAY = join(HOME, "deploy", "overlays", "observe");
const [NAMESPACE, NODE, AGENT] = ["engines", "node-x", "fulcrum:fulcrum-agent"];

const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** An engine of the simulated fleet, as a process of its own; answers with its port. */
async function startEngine(pod: string): Promise<number> {
  const engine = startEngineProcess(
    join(HOME, "dist", "engine.mjs"),
    {
      ...{ type: "start", engine: "vllm", role: "prefill", host: "127.0.0.1", pod, model: "llama-8b" },
      ...{ kvCapacityTokens: 1e6, kvBytesPerToken: 131_072 },
    },
    { listening: () => undefined, died: () => undefined },
  );
  cleanups.push(() => {
    engine.kill();
    return engine.exited;
  });
  await engine.listening;
  return engine.port() ?? fail();
}

/** A pod on the node, and what its kubelet would say of it. */
async function makePod(name: string, port: number): Promise<void> {
  const { core } = own();
  const command = ["vllm", "serve", "llama-8b", "--port", String(port)];
  const metadata = { name, namespace: NAMESPACE, labels: { "llm-d.ai/role": "prefill" }, annotations: { "fulcrum.dev/pool": "p" } };
  const spec = { nodeName: NODE, containers: [{ name: "engine", image: "vllm/vllm-openai:v0.11.0", command }] };
  const made = await core.createNamespacedPod({ namespace: NAMESPACE, body: { metadata, spec } });
  const now = new Date();
  const status = {
    ...{ phase: "Running", podIP: "127.0.0.1", podIPs: [{ ip: "127.0.0.1" }] },
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: now }],
  };
  await core.replaceNamespacedPodStatus({ namespace: NAMESPACE, name, body: Object.assign({}, made, { status }) });
}
const endPod = (name: string): Promise<unknown> => own().core.deleteNamespacedPod({ namespace: NAMESPACE, name, gracePeriodSeconds: 0 });

describe.skipIf(plane === undefined || kubectl === undefined)(
  `the agent on a real API server [needs npm run test:cluster:real] ${needs("kubectl")}`,
  () => {
    beforeAll(async () => {
      await kube("apply", "-k", OVERLAY);
      await own().core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
      await own().core.createNode({ body: { metadata: { name: NODE } } });
    }, 60_000);
    afterAll(async () => {
      // No kubelet says that they have ended.
      await kube("delete", "pods", "--all", "-n", NAMESPACE, "--grace-period=0", "--force");
      await kube("delete", "namespace", NAMESPACE, "--timeout=90s");
      await kube("delete", "node", NODE);
      await kube("delete", "-k", OVERLAY, "--timeout=90s");
    }, 120_000);

    it("may read the one Lease that doctor watches, and no other", async () => {
      const account = own().account(await own().token("fulcrum/fulcrum-agent"));
      cleanups.push(account.remove);
      const settings = {
        ...{ FULCRUM_NODE: NODE, FULCRUM_DISCOVERY: "kubernetes", FULCRUM_KUBE_API: own().server, FULCRUM_SERVICE_ACCOUNT: account.folder },
        ...{ FULCRUM_PORT: "0", FULCRUM_GPU_READER: "off", FULCRUM_OTLP_GRPC_PORT: "off", FULCRUM_OTLP_HTTP_PORT: "off" },
      };
      const doctor = async (lease: string): Promise<string> => {
        const args = [join(HOME, "dist", "fulcrum.mjs"), "doctor", "--lease-namespace", "fulcrum", "--lease", lease];
        const child = spawn(process.execPath, args, { env: { ...process.env, ...settings }, stdio: ["ignore", "pipe", "ignore"] });
        let said = "";
        child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
        await new Promise((resolve) => child.on("close", resolve));
        return said;
      };
      const metadata = { name: "fulcrum-scaler", namespace: "fulcrum" };
      const leases = kubeConfigOf(own().kubeconfig).makeApiClient(CoordinationV1Api);
      await leases.createNamespacedLease({ namespace: "fulcrum", body: { metadata } });
      cleanups.push(() => leases.deleteNamespacedLease(metadata));
      expect(await doctor("fulcrum-scaler")).toContain("lease fulcrum/fulcrum-scaler: held by nobody");
      expect(await doctor("another")).toContain("lease fulcrum/another: not asked: the agent's account has no right to");
    });

    it("finds the engines of its node, follows them as they come and go, and after the server forgot; nothing is refused", async () => {
      const mark = (await own().judged()).length;
      const account = own().account(await own().token("fulcrum/fulcrum-agent"));
      cleanups.push(account.remove);
      const scaler = await startScaler();
      cleanups.push(() => scaler.stop());
      await makePod("p-0", await startEngine("p-0"));
      const settings = {
        ...{ FULCRUM_NODE: NODE, FULCRUM_DISCOVERY: "kubernetes", FULCRUM_KUBE_API: own().server, FULCRUM_SERVICE_ACCOUNT: account.folder },
        ...{ FULCRUM_SCALER_URL: scaler.url, FULCRUM_INTERVAL: "250ms", FULCRUM_PORT: "0", FULCRUM_GPU_READER: "off" },
        ...{ FULCRUM_OTLP_GRPC_PORT: "off", FULCRUM_OTLP_HTTP_PORT: "off" },
      };
      const agent = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), "agent"], {
        env: { ...process.env, ...settings },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const exited = new Promise((resolve) => agent.on("exit", resolve));
      let said = "";
      agent.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
      cleanups.push(() => {
        agent.kill("SIGTERM");
        return exited;
      });
      const replicas = async (...names: readonly string[]): Promise<void> => {
        const seen = (r: Parameters<typeof poolOf>[0]): readonly string[] =>
          (poolOf(r, "p")?.replicas ?? []).filter(({ phase }) => phase === "ready").map(({ pod }) => pod);
        scaler.folded.splice(0);
        await reportWhere(scaler, names.join(", "), (r) => seen(r).toSorted().join() === names.join());
      };
      await replicas("p-0");
      await makePod("p-1", await startEngine("p-1"));
      await replicas("p-0", "p-1");
      await endPod("p-0");
      await replicas("p-1");
      const before = (await own().judged()).slice(mark).filter((call) => call.account === AGENT);
      expect(before.filter(({ code }) => code >= 400)).toEqual([]);
      await own().compact();
      await own().restart();
      await makePod("p-2", await startEngine("p-2"));
      await replicas("p-1", "p-2");
      const page = await (await fetch(`http://127.0.0.1:${/"metrics":(\d+)/.exec(said)?.[1] ?? ""}/metrics`)).text();
      expect(page).toMatch(/^fulcrum_agent_pod_watch_restarts_total{[^}]*reason="expired"[^}]*} [1-9]/m);
      const judged = (await own().judged()).slice(mark).filter((call) => call.account === AGENT);
      expect(new Set(judged.map(({ verb, resource }) => `${verb} ${resource}`))).toEqual(new Set(["list pods", "watch pods"]));
    }, 180_000);
  },
);
