import { connect } from "node:http2";
import { status, type ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { kedaClient, type KedaClient } from "../../support/keda-client.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const POLICY = POLICY_TEXT.replaceAll("apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool", "apiVersion: apps/v1, kind: Deployment").replace(
  "mode: enforce",
  "mode: observe",
);
const REF = { name: "prefill", namespace: "demo", scalerMetadata: { policy: "test", role: "prefill" } };
const QUESTION = { scaledObjectRef: REF, metricName: "fulcrum-prefill-replicas" };

let server: KubeApiServer;
const cleanups: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  server = await startKubeApi();
  for (const name of ["prefill", "decode"]) startWorkload(server, "Deployment", name, { replicas: 1 });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  await server.close();
});

async function run(): Promise<RunningScaler> {
  const scaler = await runTestScaler({ policy: POLICY, settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig, kedaPort: 0 } });
  cleanups.push(async () => {
    await scaler.stop();
    await scaler.remove();
  });
  return scaler;
}

const leads = async (scaler: RunningScaler): Promise<true | undefined> =>
  /^fulcrum_leader 1$/m.test(await (await scaler.get("/metrics")).text()) ? true : undefined;

function ask(scaler: RunningScaler): KedaClient {
  const keda = kedaClient(scaler.kedaPort());
  cleanups.push(() => keda.close());
  return keda;
}

const standsBy = (scaler: RunningScaler): Promise<object> =>
  until("the standby to know", () => scaler.log.lines.find(({ fields }) => "standing" in fields && fields.standing === "standby"));

const refusal = (call: Promise<unknown>): Promise<ServiceError | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => error as ServiceError,
  );

/** Three requests wait: the test's controller wants as many prefill replicas. */
async function feed(scaler: RunningScaler): Promise<void> {
  const agent = await connectAgent(`${scaler.ws}/agents`);
  agent.send(hello());
  await agent.next("welcome");
  let seq = 0;
  const timer = setInterval(() => {
    const pools = [
      pool({ replicas: [replica("prefill-0", { waiting: 3, running: 0 })] }),
      pool({ pool: "decode", role: "decode", replicas: [replica("decode-0")] }),
    ];
    agent.send(report({ seq: seq++, at: Date.now() / 1000, interval: 0.1, pools }));
  }, 50);
  cleanups.push(() => {
    clearInterval(timer);
    agent.close();
  });
}

/** A connection as KEDA keeps it; resolves when the server ends it. */
async function connected(scaler: RunningScaler): Promise<{ readonly ended: Promise<void> }> {
  const session = connect(`http://127.0.0.1:${scaler.kedaPort()}`);
  cleanups.push(() => session.close());
  const ended = new Promise<void>((resolve) => session.on("close", resolve));
  await new Promise<void>((resolve) => session.on("remoteSettings", () => resolve()));
  return { ended };
}

test("a scaler that stands by answers KEDA with UNAVAILABLE, and the leader with the count", async () => {
  const first = await run();
  await until("the first to lead", () => leads(first));
  const second = await run();
  await standsBy(second);
  await feed(first);
  const [leader, standby] = [ask(first), ask(second)];
  expect(await until("a count", () => leader.call("GetMetrics", QUESTION).catch(() => undefined))).toEqual({
    metricValues: [{ metricName: "fulcrum-prefill-replicas", metricValue: 3, metricValueFloat: 3 }],
  });
  for (const [method, request] of [
    ["GetMetrics", QUESTION],
    ["IsActive", REF],
  ] as const) {
    const error = await refusal(standby.call(method, request));
    expect([error?.code, error?.details], method).toEqual([status.UNAVAILABLE, expect.stringContaining("standing by")]);
  }
  const stream = standby.stream("StreamIsActive", REF);
  expect((await new Promise<ServiceError>((resolve) => stream.on("error", resolve))).code).toBe(status.UNAVAILABLE);
  // What a pool is measured in never changes, whoever leads.
  expect(await standby.call("GetMetricSpec", REF)).toMatchObject({ metricSpecs: [{ targetSizeFloat: 1 }] });
  expect(server.calls.filter((call) => call.verb === "patch")).toEqual([]);
}, 30_000);

test("asked while standing by it ends the connection, which a Service would keep leading to it", async () => {
  const first = await run();
  await until("the first to lead", () => leads(first));
  const second = await run();
  await standsBy(second);
  const { ended } = await connected(second);
  expect((await refusal(ask(second).call("GetMetrics", QUESTION)))?.code).toBe(status.UNAVAILABLE);
  await ended;
}, 30_000);

test("deposed, it ends KEDA's connections and streams and does not repeat what it decided while it led", async () => {
  const scaler = await run();
  await until("the lead", () => leads(scaler));
  const keda = ask(scaler);
  const waiting = keda.stream("StreamIsActive", REF);
  const dismissed = new Promise<ServiceError>((resolve) => waiting.on("error", resolve));
  const { ended } = await connected(scaler);
  server.store.update("leases.coordination.k8s.io", "fulcrum", "fulcrum-scaler", (lease) => ({
    ...lease,
    spec: { ...lease.spec, holderIdentity: "another" },
  }));
  await ended;
  expect((await dismissed).code).toBe(status.UNAVAILABLE);
  expect((await refusal(keda.call("GetMetrics", QUESTION)))?.details).toContain("standing by");
}, 30_000);
