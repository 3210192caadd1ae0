import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Leg } from "../../fleet/engine/messages.ts";
import { startEngineProcess, type EngineProcess } from "../../fleet/engine-process.ts";
import type { PlantRole } from "../../sim/plant/plant.types.ts";
import type { PageDecision } from "../../wire/page.ts";
import { HOME } from "../../scripts/gates/command.ts";
import { poolOf } from "../agent/support/agent.ts";
import { reportWhere, startScaler } from "../agent/support/scaler.ts";
import { until } from "../agent/support/until.ts";
import { changePod, createEnginePod } from "../support/kube-api/engine-pod.ts";
import { status } from "../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../support/kube-api/server.ts";
import type { Fields } from "../support/kube-api/store.ts";
import { startWorkload } from "../support/kube-api/workload.ts";
import { rightsOf } from "../support/rights.ts";

const POLICY = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama, namespace: serving }
spec:
  objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }
  budget: { gpus: 16 }
  pools:
    prefill: { target: { apiVersion: apps/v1, kind: StatefulSet, name: prefill } }
    decode: { target: { apiVersion: apps/v1, kind: StatefulSet, name: decode } }
  behavior: { interval: 1s }
`;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** An engine of the simulated fleet, as a process of its own. */
async function startEngine(role: PlantRole, pod: string): Promise<{ readonly process: EngineProcess; readonly port: number }> {
  const process = startEngineProcess(
    join(HOME, "dist", "engine.mjs"),
    { type: "start", engine: "vllm", role, host: "127.0.0.1", pod, model: "llama-8b", kvCapacityTokens: 1e6, kvBytesPerToken: 131_072 },
    { listening: () => undefined, died: () => undefined },
  );
  cleanups.push(() => {
    process.kill();
    return process.exited;
  });
  await process.listening;
  const port = process.port();
  if (port === undefined) throw new Error(`engine ${pod} does not serve`);
  return { process, port };
}

function start(command: "agent" | "scaler", settings: Readonly<Record<string, string>>): { said(): string } {
  const quiet = { FULCRUM_OTLP_GRPC_PORT: "off", FULCRUM_OTLP_HTTP_PORT: "off", FULCRUM_GPU_READER: "off" };
  const env = { ...process.env, FULCRUM_PORT: "0", ...quiet, ...settings };
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), command], { env, stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  cleanups.push(() => {
    child.kill("SIGTERM");
    return exited;
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { said: () => text };
}

/** An API server that grants what some manifests grant, and the folder of an account on it. */
async function cluster(rights: ReadonlySet<string>): Promise<{ readonly api: KubeApiServer; readonly account: string }> {
  const api = await startKubeApi("account-token");
  cleanups.push(() => api.close());
  api.fault = ({ verb, resource, group }) =>
    rights.has(`${verb} ${resource} ${group}`) ? undefined : status(403, "Forbidden", `${verb} of ${resource} is not granted`);
  const account = mkdtempSync(join(tmpdir(), "fulcrum-account-"));
  cleanups.push(() => rmSync(account, { recursive: true, force: true }));
  writeFileSync(join(account, "token"), "account-token");
  return { api, account };
}

const agentSettings = (api: KubeApiServer, account: string, scalerUrl: string): Readonly<Record<string, string>> => ({
  FULCRUM_NODE: "node-a",
  FULCRUM_DISCOVERY: "kubernetes",
  FULCRUM_KUBE_API: api.url,
  FULCRUM_SERVICE_ACCOUNT: account,
  FULCRUM_SCALER_URL: scalerUrl,
  FULCRUM_INTERVAL: "250ms",
});

const serve = (port: number, ...more: string[]): string[] => ["vllm", "serve", "llama-8b", "--port", String(port), ...more];
const CONSUMER = ["--kv-transfer-config", '{"kv_connector":"NixlConnector","kv_role":"kv_consumer"}'];

describe("the agent as the manifests start it, on a cluster that grants what they grant", () => {
  it("finds the engines of its node without a targets file, by a label and by an argument, and reports what they serve", async () => {
    const { api, account } = await cluster(rightsOf("base/agent-rbac.yaml", "ClusterRole"));
    const [prefill, decode] = [await startEngine("prefill", "p-0"), await startEngine("decode", "d-0")];
    createEnginePod(api, "p-0", { labels: { "llm-d.ai/role": "prefill" }, command: serve(prefill.port) });
    createEnginePod(api, "d-0", { command: serve(decode.port, ...CONSUMER) });
    createEnginePod(api, "strange-0", { command: serve(9) });

    const scaler = await startScaler();
    cleanups.push(() => scaler.stop());
    const agent = start("agent", agentSettings(api, account, scaler.url));
    const gauges = { phase: "ready", running: 5, waiting: 0, waitingForKv: 0, kvTokens: 100, sending: 0 } as const;
    const none = { firstTokens: [], transfers: [], transferFailures: 0, preemptions: 0, finished: [] };
    prefill.process.update({ type: "update", gauges, passes: [[1000, 0.1, 2]], steps: [], ...none });
    decode.process.update({ type: "update", gauges: { ...gauges, running: 7 }, passes: [], steps: [], ...none });

    const report = await reportWhere(
      scaler,
      "both pools",
      (r) => poolOf(r, "p")?.replicas[0]?.gauges.running === 5 && poolOf(r, "d")?.replicas[0]?.gauges.running === 7,
    );
    expect(poolOf(report, "p")).toMatchObject({
      namespace: "serving",
      role: "prefill",
      model: "llama-8b",
      engine: "vllm",
      replicas: [{ pod: "p-0", phase: "ready" }],
    });
    expect(poolOf(report, "d")).toMatchObject({ role: "decode", replicas: [{ pod: "d-0" }] });
    expect(report.pools).toHaveLength(2);
    await until("the pod nobody can place", () => agent.said().includes("serving/strange-0"));
    expect(api.calls.filter((call) => call.status >= 400)).toEqual([]);
  }, 60_000);

  it("proves who it is by its ServiceAccount, and what it finds leads to a recommendation; one of another account is turned away", async () => {
    const observe = ["scaler-rbac", "scaler-admit-rbac", "scaler-policies-rbac", "agent-rbac"];
    const { api, account } = await cluster(new Set(observe.flatMap((file) => [...rightsOf(`base/${file}.yaml`, "ClusterRole", "Role")])));
    api.tokens.set("agent.of.fulcrum", { username: "system:serviceaccount:fulcrum:fulcrum-agent", audiences: ["fulcrum"], node: "node-a" });
    api.tokens.set("pod.of.somebody", { username: "system:serviceaccount:serving:default", audiences: ["fulcrum"], node: "node-a" });
    const file = (name: string, text: string): string => {
      writeFileSync(join(account, name), text);
      return join(account, name);
    };
    // StatefulSets with a pod each, which the kubelet then runs: the pods' own fields are all that discovery has.
    const engines = await Promise.all((["prefill", "decode"] as const).map((role) => startEngine(role, `${role}-0`)));
    for (const [at, role] of (["prefill", "decode"] as const).entries()) {
      const workload = startWorkload(api, "StatefulSet", role, { namespace: "serving", replicas: 1 });
      const [pod] = workload.pods();
      const command = serve(engines[at]?.port ?? 0, ...(role === "decode" ? CONSUMER : []));
      const labels = { ...(pod?.metadata["labels"] as Fields), ...(role === "prefill" && { "llm-d.ai/role": "prefill" }) };
      changePod(api, pod?.metadata.name ?? "", {
        metadata: { labels, ownerReferences: [{ kind: "StatefulSet", name: role, apiVersion: "apps/v1", uid: "1", controller: true }] },
        spec: { nodeName: "node-a", containers: [{ name: "engine", image: "vllm/vllm-openai:v0.11.0", command }] },
        status: { ...pod?.status, podIP: "127.0.0.1" },
      });
    }
    const scaler = start("scaler", {
      FULCRUM_ACTUATOR: "kubernetes",
      FULCRUM_KUBECONFIG: api.kubeconfig,
      FULCRUM_AGENT_ACCOUNTS: "fulcrum/fulcrum-agent",
      FULCRUM_POLICIES: file("policy.yaml", POLICY),
    });
    const port = await until(
      "the scaler's port",
      () => Number(/"port":(\d+)[^\n]*scaler: listening/.exec(scaler.said())?.[1]) || undefined,
    );
    const settings = agentSettings(api, account, `ws://127.0.0.1:${port}/agents`);
    const stranger = start("agent", { ...settings, FULCRUM_TOKEN_FILE: file("stranger", "pod.of.somebody"), FULCRUM_LOG_LEVEL: "debug" });
    start("agent", { ...settings, FULCRUM_TOKEN_FILE: file("own", "agent.of.fulcrum") });

    const gauges = { phase: "ready", running: 5, waiting: 0, waitingForKv: 0, kvTokens: 100, sending: 0 } as const;
    const none = { transfers: [], transferFailures: 0, preemptions: 0 };
    const ids = { requestId: "r", traceId: "0".repeat(32), parentSpanId: "0".repeat(16), room: "1" };
    const lengths = { inputTokens: 2000, cachedTokens: 0, outputTokens: 50 };
    const served = (at: number): Leg => ({
      ...{ ...ids, ...lengths, arrival: at - 1, scheduled: at - 0.9, firstToken: at - 0.8, end: at },
      ...{ transferStart: at - 0.85, transferEnd: at - 0.84 },
    });
    const decision = await until(
      "a recommendation",
      async () => {
        const finished = [served(Date.now() / 1000)];
        engines[0]?.process.update({ type: "update", gauges, passes: [[2000, 0.05, 1]], steps: [], firstTokens: [], finished, ...none });
        engines[1]?.process.update({
          type: "update",
          gauges,
          passes: [],
          steps: [[5, 0.02, 5, 25]],
          firstTokens: [[0.2, 2000, 0]],
          finished,
          ...none,
        });
        await new Promise((resolve) => setTimeout(resolve, 250));
        const told = (await (await fetch(`http://127.0.0.1:${port}/api/decisions?limit=50`)).json()) as PageDecision[];
        return told.find((d) => d.outcome === "observe" && !d.decision.hold);
      },
      30_000,
    );
    expect(decision.policy).toBe("serving/llama");
    expect(decision.decision.pools.prefill.replicas).toBeGreaterThan(0);
    await until("the refusal", () => stranger.said().includes("401"));
    expect(scaler.said()).toContain("serving/default is not among agentAccounts");
    expect(api.calls.filter((call) => call.status === 403)).toEqual([]);
  }, 90_000);
});
