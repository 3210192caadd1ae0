import { get } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJournal } from "../../../scaler/journal/read.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const POLICY = POLICY_TEXT.replaceAll("apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool", "apiVersion: apps/v1, kind: Deployment").replace(
  "interval: 100ms",
  "interval: 100ms, scaleUp: { cooldown: 0s }",
);

let server: KubeApiServer;
let scalers: RunningScaler[] = [];

beforeEach(async () => {
  server = await startKubeApi();
});
afterEach(async () => {
  await Promise.all(scalers.map((s) => s.stop()));
  await Promise.all(scalers.map((s) => s.remove()));
  scalers = [];
  await server.close();
});

async function run(): Promise<RunningScaler> {
  const scaler = await runTestScaler({ policy: POLICY, settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig } });
  scalers.push(scaler);
  return scaler;
}
const leads = async (scaler: RunningScaler): Promise<boolean> => /^fulcrum_leader 1$/m.test(await (await scaler.get("/metrics")).text());

/** The status with which an upgrade is answered. */
const upgrade = (url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    get(url, { headers }, (response) => resolve(response.resume().statusCode)).on("error", reject);
  });

/** Three requests wait: the test's controller wants as many prefill replicas. */
const busy = (seq: number) =>
  report({
    seq,
    interval: 0.1,
    pools: [
      pool({ replicas: [replica("prefill-0", { waiting: 3, running: 0 })] }),
      pool({ pool: "decode", role: "decode", replicas: [replica("decode-0", {})] }),
    ],
  });

test("two scalers: the leader acts on the cluster, the other stands by, takes no agents, and goes on when the first ends", async () => {
  const workloads = ["prefill", "decode"].map((name) => startWorkload(server, "Deployment", name, { replicas: 1 }));
  const first = await run();
  await until("the first to lead", async () => ((await leads(first)) ? true : undefined));
  const second = await run();
  expect([await leads(first), await leads(second)]).toEqual([true, false]);
  expect(await upgrade(`${second.url}/agents`)).toBe(503);

  const agent = await connectAgent(`${first.ws}/agents`);
  agent.send(hello());
  await agent.next("welcome");
  let seq = 0;
  await until("three prefill replicas", async () => {
    agent.send(busy(seq++));
    await agent.next("ack");
    return workloads[0]?.replicas() === 3 ? true : undefined;
  });
  const patches = server.calls.filter((c) => c.verb === "patch" && c.name === "prefill");
  expect(patches.map((c) => [(c.body as { spec: { replicas: number } }).spec.replicas, c.status])).toEqual([[3, 200]]);

  await first.stop();
  scalers = scalers.filter((s) => s !== first);
  expect(await agent.closed()).toBe(1001);
  await until("the second to lead", async () => ((await leads(second)) ? true : undefined));
  const again = await connectAgent(`${second.ws}/agents`);
  again.close();
  const journal = join(second.directory, "journal");
  // Once at its start, and once when it took over: what it saw as a bystander is not acted on.
  await until("the second start", async () =>
    (await readJournal(journal)).records.filter((r) => r.kind === "start").length === 2 ? true : undefined,
  );
  await first.remove();
}, 60_000);

test("a leader that is deposed sends its agents away", async () => {
  for (const name of ["prefill", "decode"]) startWorkload(server, "Deployment", name, { replicas: 1 });
  const scaler = await run();
  await until("the lead", async () => ((await leads(scaler)) ? true : undefined));
  const agent = await connectAgent(`${scaler.ws}/agents`);
  agent.send(hello());
  await agent.next("welcome");
  agent.send(busy(0));
  await agent.next("ack");
  const tellsAge = async (): Promise<boolean> => /^fulcrum_agent_report_age_seconds\{/m.test(await (await scaler.get("/metrics")).text());
  expect(await tellsAge()).toBe(true);
  server.store.update("leases.coordination.k8s.io", "fulcrum", "fulcrum-scaler", (l) => ({
    ...l,
    spec: { ...l.spec, holderIdentity: "hand" },
  }));
  expect(await agent.closed()).toBe(1012);
  expect([await leads(scaler), await upgrade(`${scaler.url}/agents`)]).toEqual([false, 503]);
  // It would grow for ever, and be taken for an agent that is gone.
  expect(await tellsAge()).toBe(false);
}, 60_000);

test("a kubeconfig that is none is told at the start", async () => {
  const started = runTestScaler({ settings: { actuator: "kubernetes", kubeconfig: "/nowhere/config" } });
  await expect(started).rejects.toMatchObject({
    name: "ScalerError",
    code: "bad-settings",
    message: expect.stringContaining("/nowhere/config: cannot be read") as string,
  });
  const outside = runTestScaler({ settings: { actuator: "kubernetes" } });
  await expect(outside).rejects.toMatchObject({ code: "bad-settings", message: expect.stringContaining("FULCRUM_KUBECONFIG") as string });
});
