import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { startEngineProcess, type EngineProcess } from "../../fleet/engine-process.ts";
import type { PlantRole } from "../../sim/plant/plant.types.ts";
import { HOME } from "../../scripts/gates/command.ts";
import { poolOf } from "../agent/support/agent.ts";
import { reportWhere, startScaler } from "../agent/support/scaler.ts";
import { until } from "../agent/support/until.ts";
import { createEnginePod } from "../support/kube-api/engine-pod.ts";
import { status } from "../support/kube-api/respond.ts";
import { startKubeApi } from "../support/kube-api/server.ts";
import { rightsOf } from "../support/rights.ts";

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

function startAgent(settings: Readonly<Record<string, string>>): { said(): string } {
  const env = {
    ...process.env,
    FULCRUM_PORT: "0",
    FULCRUM_OTLP_GRPC_PORT: "off",
    FULCRUM_OTLP_HTTP_PORT: "off",
    FULCRUM_GPU_READER: "off",
    ...settings,
  };
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), "agent"], { env, stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  cleanups.push(() => {
    child.kill("SIGTERM");
    return exited;
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { said: () => text };
}

describe("the agent as the manifests start it, on a cluster that grants what they grant", () => {
  it("finds the engines of its node without a targets file, by a label and by an argument, and reports what they serve", async () => {
    const api = await startKubeApi("agent-token");
    cleanups.push(() => api.close());
    const rights = rightsOf("base/agent-rbac.yaml", "ClusterRole");
    api.fault = ({ verb, resource, group }) =>
      rights.has(`${verb} ${resource} ${group}`) ? undefined : status(403, "Forbidden", `${verb} of ${resource} is not granted`);
    const account = mkdtempSync(join(tmpdir(), "fulcrum-account-"));
    cleanups.push(() => rmSync(account, { recursive: true, force: true }));
    writeFileSync(join(account, "token"), "agent-token");

    const [prefill, decode] = [await startEngine("prefill", "p-0"), await startEngine("decode", "d-0")];
    const serve = (port: number, ...more: string[]): string[] => ["vllm", "serve", "llama-8b", "--port", String(port), ...more];
    createEnginePod(api, "p-0", { labels: { "llm-d.ai/role": "prefill" }, command: serve(prefill.port) });
    createEnginePod(api, "d-0", {
      command: serve(decode.port, "--kv-transfer-config", '{"kv_connector":"NixlConnector","kv_role":"kv_consumer"}'),
    });
    createEnginePod(api, "strange-0", { command: serve(9) });

    const scaler = await startScaler();
    cleanups.push(() => scaler.stop());
    const agent = startAgent({
      FULCRUM_NODE: "node-a",
      FULCRUM_DISCOVERY: "kubernetes",
      FULCRUM_KUBE_API: api.url,
      FULCRUM_SERVICE_ACCOUNT: account,
      FULCRUM_SCALER_URL: scaler.url,
    });
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
});
