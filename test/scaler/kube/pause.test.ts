import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJournal } from "../../../scaler/journal/read.ts";
import type { PageState } from "../../../wire/page.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const TOKEN = "0123456789abcdef0123";
const POLICY = POLICY_TEXT.replaceAll("apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool", "apiVersion: apps/v1, kind: Deployment").replace(
  "interval: 100ms",
  "interval: 100ms, scaleUp: { cooldown: 0s }",
);

let server: KubeApiServer;
let directory: string;
const scalers: RunningScaler[] = [];

beforeEach(async () => {
  server = await startKubeApi();
  directory = mkdtempSync(join(tmpdir(), "fulcrum-pause-"));
  writeFileSync(join(directory, "tokens"), `alice ${TOKEN}\n`);
});
afterEach(async () => {
  await Promise.all(scalers.map((s) => s.stop()));
  await Promise.all(scalers.splice(0).map((s) => s.remove()));
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function run(): Promise<RunningScaler> {
  const settings = { actuator: "kubernetes", kubeconfig: server.kubeconfig, writeTokens: join(directory, "tokens") } as const;
  const scaler = await runTestScaler({ policy: POLICY, settings });
  scalers.push(scaler);
  return scaler;
}
const leads = async (scaler: RunningScaler): Promise<boolean> => /^fulcrum_leader 1$/m.test(await (await scaler.get("/metrics")).text());
const policyOn = async (scaler: RunningScaler) => (await scaler.json<PageState>("/api/state")).policies[0];
const held = async (scaler: RunningScaler): Promise<number> =>
  (await scaler.json<{ outcome: string; decision: { reasons: { code: string }[] } }[]>("/api/decisions?limit=500")).filter(
    ({ outcome, decision }) =>
      outcome === "held" && decision.reasons.some(({ code }) => code === "paused") && decision.reasons[0]?.code === "prefill-short",
  ).length;
const write = (scaler: RunningScaler, path: string) =>
  fetch(`${scaler.url}/api/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: "{}",
  });

/** An agent that says how many prefill requests wait; the test's controller wants as many replicas. */
async function busy(scaler: RunningScaler, boot: string) {
  const agent = await connectAgent(`${scaler.ws}/agents`);
  agent.send(hello("node-a", boot));
  await agent.next("welcome");
  let seq = 0;
  return (waiting: number, what: string, enough: () => Promise<boolean>): Promise<true> =>
    until(what, async () => {
      const prefill = ["prefill-0", "prefill-1"].map((name, i) => replica(name, { waiting: i === 0 ? waiting : 0, running: 0 }));
      const pools = [pool({ replicas: prefill }), pool({ pool: "decode", role: "decode", replicas: [replica("decode-0", {})] })];
      agent.send(report({ seq: seq++, boot, interval: 0.1, pools }));
      await agent.next("ack");
      return (await enough()) ? true : undefined;
    });
}

test("a pause that is said to the scaler that stands by is obeyed by the leader, survives its end, and holds its successor", async () => {
  const [prefill] = ["prefill", "decode"].map((name) => startWorkload(server, "Deployment", name, { replicas: 1 }));
  const first = await run();
  await until("the first to lead", async () => ((await leads(first)) ? true : undefined));
  const second = await run();
  expect(await leads(second)).toBe(false);

  expect((await write(second, "pause")).status).toBe(200);
  expect(await policyOn(second)).toMatchObject({ mode: "paused", override: { by: "alice" } });
  await until("the leader to know", async () => ((await policyOn(first))?.mode === "paused" ? true : undefined));
  const tell = await busy(first, "boot-1");
  await tell(3, "decisions that are held", async () => (await held(first)) > 3);
  expect(prefill?.replicas()).toBe(1);

  await first.stop();
  await until("the second to lead", async () => ((await leads(second)) ? true : undefined));
  const tellSecond = await busy(second, "boot-2");
  await tellSecond(3, "decisions that the successor holds", async () => (await held(second)) > 3);
  expect(prefill?.replicas()).toBe(1);
  expect(server.calls.filter((c) => c.verb === "patch" && c.resource === "deployments/scale")).toEqual([]);

  expect((await write(second, "resume")).status).toBe(200);
  await tellSecond(3, "three replicas", async () => prefill?.replicas() === 3);
  // Both journals tell of the pause: who took it, and who obeyed it.
  for (const scaler of [first, second]) {
    const { records } = await readJournal(join(scaler.directory, "journal"));
    expect(records.find((r) => r.kind === "override")).toMatchObject({ name: "*", mode: "paused", by: "alice" });
  }
}, 60_000);
