import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import { runCli } from "../support/run-cli.ts";
import { tempTree } from "../support/temp-tree.ts";

const POLICY = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: p, namespace: serving }
spec:
  objectives: { ttft: { target: 500ms } }
  budget: { gpus: 4 }
  pools:
    prefill: { target: { apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool, name: prefill } }
    decode: { target: { apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool, name: decode } }
`;
const TARGETS = JSON.stringify({ node: "n", engines: [], gpus: [] });

/** A port somebody else listens on for the length of the test. */
async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Starts a process that stays, and waits until its log says that it listens. */
async function started(args: readonly string[]): Promise<{ child: ChildProcess; ended: Promise<number | null> }> {
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
      if (/started|listening/i.test(said)) resolve();
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
  return { child, ended };
}

describe("agent", () => {
  const settings = ["--node", "n", "--otlp-grpc-port", "off", "--otlp-http-port", "off", "--scaler-url", "ws://127.0.0.1:1/agents"];

  test("every problem with its settings is told at once, exit 2", async () => {
    const root = tempTree({ "agent.yaml": "nod: n\ninterval: soon\n" });
    const { code, stdout, stderr } = await runCli(["agent", "--config", join(root, "agent.yaml"), "--port", "many"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("did you mean node?");
    expect(stderr).toContain("agent.yaml: interval: not a duration");
    expect(stderr).toContain("--port: ");
    expect(stderr).toContain("node: required; set --node, FULCRUM_NODE or node in the file");
  });

  test("flags win over the environment, that over the file", async () => {
    const root = tempTree({ "agent.yaml": "node: n\ntargets: t.json\ninterval: 0s\n" });
    const config = ["agent", "--config", join(root, "agent.yaml")];
    expect((await runCli(config)).stderr).toContain("agent.yaml: interval");
    expect((await runCli(config, { env: { FULCRUM_INTERVAL: "-1s" } })).stderr).toContain("FULCRUM_INTERVAL");
    expect((await runCli([...config, "--interval", "never"], { env: { FULCRUM_INTERVAL: "-1s" } })).stderr).toContain("--interval");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s ends it with 0", async (signal) => {
    const root = tempTree({ "targets.json": TARGETS });
    const { child, ended } = await started(["agent", ...settings, "--port", "0", "--targets", join(root, "targets.json")]);
    child.kill(signal);
    expect(await ended).toBe(0);
  });

  test("a port in use: exit 2 with the address", async () => {
    const root = tempTree({ "targets.json": TARGETS });
    const port = await takenPort();
    const { code, stderr } = await runCli(["agent", ...settings, "--port", String(port), "--targets", join(root, "targets.json")]);
    expect(code).toBe(2);
    expect(stderr).toContain(`127.0.0.1:${port}`);
  });
});

describe("scaler", () => {
  test("SIGTERM ends it with 0", async () => {
    const root = tempTree({ "policy.yaml": POLICY });
    const { child, ended } = await started(["scaler", "--port", "0", "--policies", join(root, "policy.yaml")]);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });

  test("a port in use, a bad policy, a missing policy: exit 2", async () => {
    const root = tempTree({ "policy.yaml": POLICY, "bad.yaml": POLICY.replace("gpus: 4", "gpus: lots") });
    const port = await takenPort();
    const inUse = await runCli(["scaler", "--port", String(port), "--policies", join(root, "policy.yaml")]);
    expect(inUse).toMatchObject({ code: 2, stderr: expect.stringContaining(`port ${port}`) });
    const bad = await runCli(["scaler", "--port", "0", "--policies", join(root, "bad.yaml")]);
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringMatching(/bad\.yaml:6:\d+: POLICY_/) });
    expect((await runCli(["scaler", "--port", "0", "--policies", join(root, "none.yaml")])).code).toBe(2);
  });
});

describe("demo and fleet refuse what they cannot run with, exit 2", () => {
  test("a missing trace, a bad policy, a port in use", async () => {
    const root = tempTree({ "bad.yaml": POLICY.replace("ttft:", "tfft:"), "rows.csv": "a,b\n1,2\n" });
    const runDir = ["--run-dir", join(root, "run"), "--port", "21900"];
    const missing = await runCli(["demo", ...runDir, "--trace", join(root, "none.csv")]);
    expect(missing).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("none.csv") });
    const format = await runCli(["demo", ...runDir, "--trace", join(root, "rows.csv")]);
    expect(format).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("rows.csv") });
    const policy = await runCli(["demo", ...runDir, "--policy", join(root, "bad.yaml")]);
    expect(policy).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("bad.yaml:5") });
    const port = await takenPort();
    const inUse = await runCli(["demo", "--run-dir", join(root, "run"), "--port", String(port)]);
    expect(inUse).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(String(port)) });
  });

  test("fleet settings that are none", async () => {
    const root = tempTree({ "fleet.json": '{"port":"x"}', "torn.json": '{"port":' });
    const bad = await runCli(["fleet", "--config", join(root, "fleet.json")]);
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining("port: ") });
    expect(await runCli(["fleet", "--config", join(root, "torn.json")])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("torn.json"),
    });
    expect(await runCli(["fleet", "--config", join(root, "none.json")])).toMatchObject({ code: 2 });
  });
});
