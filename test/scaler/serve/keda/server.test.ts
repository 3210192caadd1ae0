import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { credentials, status, type ServiceError } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { kedaClient, type KedaClient, type Ref } from "../../../support/keda-client.ts";
import { needs } from "../../../support/components.ts";
import { makeKeyPair, openssl, type KeyPairFolder } from "../../../support/key-pair.ts";
import { connectAgent, hello } from "../../support/agent-client.ts";
import { startFleetServer, type FleetServer } from "../../support/fleet-server.ts";
import { POLICY_TEXT } from "../../support/policy.ts";
import { pool, replica, report } from "../../support/reports.ts";
import { runTestScaler, type RunOptions, type RunningScaler } from "../../support/run-scaler.ts";
import { until } from "../../support/wait.ts";

const OBSERVE = POLICY_TEXT.replace("mode: enforce", "mode: observe");
const ref = (scalerMetadata: Ref["scalerMetadata"], namespace = "demo"): Ref => ({ name: "prefill", namespace, scalerMetadata });
const PREFILL = ref({ policy: "test", role: "prefill", scalerAddress: "fulcrum-scaler.fulcrum:8902" });
const metrics = (of: Ref, role = "prefill") => ({ scaledObjectRef: of, metricName: `fulcrum-${role}-replicas` });

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Started {
  readonly scaler: RunningScaler;
  readonly keda: KedaClient;
  readonly fleet: FleetServer;
  readonly port: number;
}

async function start(policy = OBSERVE, more: RunOptions["settings"] = {}): Promise<Started> {
  const fleet = await startFleetServer();
  cleanups.push(() => fleet.close());
  const scaler = await runTestScaler({ policy, settings: { kedaPort: 0, fleetUrl: fleet.url, ...more } });
  cleanups.push(async () => {
    await scaler.stop();
    await scaler.remove();
  });
  const port = scaler.kedaPort();
  const keda = kedaClient(port);
  cleanups.push(() => keda.close());
  return { scaler, keda, fleet, port };
}

/** Two prefill replicas report, with so many requests waiting in all. */
async function seen(scaler: RunningScaler, waiting: number): Promise<void> {
  const agent = await connectAgent(`${scaler.ws}/agents`);
  cleanups.push(() => agent.close());
  agent.send(hello());
  await agent.next("welcome");
  let seq = 0;
  const send = (): void => {
    const replicas = [replica("prefill-0", { waiting }), replica("prefill-1", { waiting: 0 })];
    agent.send(report({ seq: seq++, at: Date.now() / 1000, pools: [pool({ replicas })] }));
  };
  send();
  const timer = setInterval(send, 50);
  cleanups.push(() => clearInterval(timer));
}

const refused = async (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => Promise.reject(new Error("it was answered")),
    (error: unknown) => error as ServiceError,
  );
const answered = (keda: KedaClient, request: unknown): Promise<unknown> =>
  until("an answer", () => keda.call("GetMetrics", request).catch(() => undefined));

describe("KEDA's external scaler, asked by a client made from KEDA's service definition", () => {
  test("the target is one replica per unit, known before anything is decided, under a name that KEDA does not rewrite", async () => {
    const { keda } = await start();
    expect(await keda.call("GetMetricSpec", PREFILL)).toEqual({
      metricSpecs: [{ metricName: "fulcrum-prefill-replicas", targetSize: 1, targetSizeFloat: 1 }],
    });
    expect(await keda.call("GetMetricSpec", ref({ policy: "test", role: "decode" }))).toMatchObject({
      metricSpecs: [{ metricName: "fulcrum-decode-replicas" }],
    });
  });

  test("the metric is the replica count that is wanted, in both number fields", async () => {
    const { scaler, keda } = await start();
    await seen(scaler, 5);
    expect(await answered(keda, metrics(PREFILL))).toEqual({
      metricValues: [{ metricName: "fulcrum-prefill-replicas", metricValue: 5, metricValueFloat: 5 }],
    });
    expect(await keda.call("IsActive", PREFILL)).toEqual({ result: true });
    const qualified = ref({ policy: "demo/test", role: "decode" }, "elsewhere");
    expect(await keda.call("GetMetrics", metrics(qualified, "decode"))).toMatchObject({ metricValues: [{ metricValueFloat: 2 }] });
  });

  test("without evidence every question for a number is an error that says why, never a zero or the last value", async () => {
    const { scaler, keda } = await start();
    await until("a first decision", async () => ((await scaler.json<unknown[]>("/api/decisions")).length > 0 ? true : undefined));
    const error = await refused(keda.call("GetMetrics", metrics(PREFILL)));
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: "policy demo/test: too few reports" });
    expect(await refused(keda.call("IsActive", PREFILL))).toMatchObject({ code: status.UNAVAILABLE });
  });

  test("an answer turns into an error when the cluster can no longer be asked", async () => {
    const { scaler, keda, fleet } = await start();
    await seen(scaler, 4);
    await answered(keda, metrics(PREFILL));
    fleet.failWith = 503;
    const error = await until("an error", () =>
      keda.call("GetMetrics", metrics(PREFILL)).then(
        () => undefined,
        (e: unknown) => e as ServiceError,
      ),
    );
    expect(error.code).toBe(status.UNAVAILABLE);
  });

  test("paused, it says what the cluster was last told, so that nothing moves", async () => {
    const { scaler, keda } = await start(POLICY_TEXT.replace("mode: enforce", "mode: paused"));
    await seen(scaler, 6);
    expect(await answered(keda, metrics(PREFILL))).toMatchObject({ metricValues: [{ metricValueFloat: 2 }] });
  });

  test("a policy that Fulcrum enforces itself is refused: two writers would undo each other", async () => {
    const { keda } = await start(POLICY_TEXT);
    const error = await refused(keda.call("GetMetrics", metrics(PREFILL)));
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.details).toContain("set mode: observe");
  });

  test.each([
    ["no policy", ref({ role: "prefill" }), "write policy: NAME"],
    ["no role", ref({ policy: "test" }), "write role: prefill or role: decode"],
    ["another role", ref({ policy: "test", role: "router" }), 'role "router"'],
  ])("a trigger with %s is told what to write, by every method", async (_, bad, what) => {
    const { keda } = await start();
    for (const [method, request] of [
      ["IsActive", bad],
      ["GetMetricSpec", bad],
      ["GetMetrics", metrics(bad)],
    ] as const) {
      const error = await refused(keda.call(method, request));
      expect(error.code, method).toBe(status.INVALID_ARGUMENT);
      expect(error.details, method).toContain(what);
    }
    const stream = keda.stream("StreamIsActive", bad);
    expect((await new Promise<ServiceError>((resolve) => stream.on("error", resolve))).code).toBe(status.INVALID_ARGUMENT);
  });

  test("an unknown policy and an unknown metric are refused by name", async () => {
    const { keda } = await start();
    const unknown = await refused(keda.call("GetMetrics", metrics(ref({ policy: "typo", role: "prefill" }))));
    expect(unknown).toMatchObject({ code: status.NOT_FOUND, details: "no policy demo/typo is loaded" });
    const other = await refused(keda.call("GetMetrics", { scaledObjectRef: PREFILL, metricName: "cpu" }));
    expect(other).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test("the push stream is silent while blind, then says active once; StreamMetricSpec is left unimplemented, which KEDA takes", async () => {
    const { scaler, keda } = await start();
    const told: boolean[] = [];
    const stream = keda.stream("StreamIsActive", PREFILL);
    stream.on("data", ({ result }) => told.push(result));
    stream.on("error", () => undefined);
    await until("a decision", async () => ((await scaler.json<unknown[]>("/api/decisions")).length > 1 ? true : undefined));
    expect(told).toEqual([]);
    await seen(scaler, 3);
    await until("the push", () => (told.length > 0 ? true : undefined));
    expect(told).toEqual([true]);
    stream.cancel();
    const specs = keda.stream("StreamMetricSpec", PREFILL);
    expect((await new Promise<ServiceError>((resolve) => specs.on("error", resolve))).code).toBe(status.UNIMPLEMENTED);
  });

  test("its answers are counted by method and status", async () => {
    const { scaler, keda } = await start();
    await keda.call("GetMetricSpec", PREFILL);
    await refused(keda.call("GetMetrics", metrics(ref({ policy: "typo", role: "prefill" }))));
    const page = await (await scaler.get("/metrics")).text();
    expect(page).toContain('fulcrum_keda_requests_total{method="GetMetricSpec",code="OK"} 1');
    expect(page).toContain('fulcrum_keda_requests_total{method="GetMetrics",code="NOT_FOUND"} 1');
  });

  test("garbage on its port is answered or closed, and the next client served", async () => {
    const { keda, port } = await start();
    const session = connect(`http://127.0.0.1:${port}`);
    const request = session.request({
      ":method": "POST",
      ":path": "/externalscaler.ExternalScaler/GetMetrics",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const body = Buffer.from([0x0a, 0xff, 0xff, 0xff]);
    const trailers = new Promise<Record<string, unknown>>((resolve) => {
      request.on("trailers", (headers) => resolve(headers));
      request.on("response", (headers) => headers["grpc-status"] !== undefined && resolve(headers));
    });
    request.resume();
    request.end(Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]));
    expect(Number((await trailers)["grpc-status"])).toBe(status.INVALID_ARGUMENT);
    session.close();
    expect(await keda.call("GetMetricSpec", PREFILL)).toBeDefined();
  });

  test("it is off unless a port is set, and a port in use is told", async () => {
    const { scaler, port } = await start();
    const off = await runTestScaler({ policy: OBSERVE });
    cleanups.push(async () => {
      await off.stop();
      await off.remove();
    });
    expect(off.kedaPort()).toBe(0);
    expect(scaler.kedaPort()).toBeGreaterThan(0);
    await expect(runTestScaler({ settings: { kedaPort: port } })).rejects.toMatchObject({ code: "port-in-use" });
  });
});

describe.skipIf(openssl === undefined)(`with tlsCert and tlsKey ${needs("openssl")}`, () => {
  const keyPair = (): KeyPairFolder => {
    const pair = makeKeyPair();
    cleanups.push(pair.remove);
    return pair;
  };

  test("KEDA's enableTLS with caCert reaches it, and a client without TLS does not", async () => {
    const { cert, key } = keyPair();
    const { keda, port } = await start(OBSERVE, { tlsCert: cert, tlsKey: key });
    const secure = kedaClient(port, credentials.createSsl(readFileSync(cert)));
    cleanups.push(() => secure.close());
    expect(await secure.call("GetMetricSpec", PREFILL)).toMatchObject({ metricSpecs: [{ targetSizeFloat: 1 }] });
    expect((await refused(keda.call("GetMetricSpec", PREFILL))).code).toBe(status.UNAVAILABLE);
  });

  test("half a pair, and a key of another certificate, are refused at the start", async () => {
    const [one, other] = [keyPair(), keyPair()];
    await expect(runTestScaler({ settings: { tlsCert: one.cert } })).rejects.toMatchObject({ code: "bad-settings" });
    await expect(runTestScaler({ settings: { tlsCert: one.cert, tlsKey: other.key } })).rejects.toMatchObject({ code: "bad-settings" });
    writeFileSync(one.cert, "not a certificate");
    await expect(runTestScaler({ settings: { tlsCert: one.cert, tlsKey: one.key } })).rejects.toMatchObject({ code: "bad-settings" });
  });
});
