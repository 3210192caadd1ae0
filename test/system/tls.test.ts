import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import type { PageState } from "../../wire/page.ts";
import { until } from "../scaler/support/wait.ts";
import { needs } from "../support/components.ts";
import { makeKeyPair, openssl } from "../support/key-pair.ts";

const POLICY = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: p, namespace: serving }
spec:
  objectives: { ttft: { target: 500ms } }
  budget: { gpus: 4 }
  pools:
    prefill: { target: { apiVersion: apps/v1, kind: StatefulSet, name: prefill } }
    decode: { target: { apiVersion: apps/v1, kind: StatefulSet, name: decode } }
`;

const cleanups: (() => void)[] = [];
afterEach(() =>
  cleanups
    .splice(0)
    .toReversed()
    .forEach((cleanup) => cleanup()),
);

interface Running {
  readonly child: ChildProcess;
  said(): string;
}

function start(command: string, settings: Readonly<Record<string, string>>): Running {
  const env = { ...process.env, FULCRUM_PORT: "0", FULCRUM_OTLP_GRPC_PORT: "off", FULCRUM_OTLP_HTTP_PORT: "off", ...settings };
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), command], { env, stdio: ["ignore", "ignore", "pipe"] });
  cleanups.push(() => void child.kill("SIGKILL"));
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { child, said: () => text };
}

const read = <T>(port: number, path: string, ca: Buffer): Promise<T> =>
  new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, ca }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(JSON.parse(text) as T));
    });
    request.on("error", reject);
  });

// What deploy/overlays/tls sets, as processes: certificate and tokens for the scaler, the CA and a token file for the agents.
describe.skipIf(openssl === undefined)(`agents and scaler over TLS with tokens ${needs("openssl")}`, () => {
  it("connects the agent that trusts the certificate and has a token, and no other", async () => {
    const pair = makeKeyPair();
    cleanups.push(pair.remove);
    const file = (name: string, text: string): string => {
      const path = join(dirname(pair.cert), name);
      writeFileSync(path, text);
      return path;
    };
    const scaler = start("scaler", {
      FULCRUM_POLICIES: file("policy.yaml", POLICY),
      FULCRUM_TLS_CERT: pair.cert,
      FULCRUM_TLS_KEY: pair.key,
      FULCRUM_AGENT_TOKENS: file("tokens", "old\nsecret\n"),
    });
    const port = await until("the scaler's port", () => {
      const found = /"port":(\d+)[^\n]*scaler: listening/.exec(scaler.said())?.[1];
      return found === undefined ? undefined : Number(found);
    });
    const agent = (node: string, settings: Readonly<Record<string, string>>): Running =>
      start("agent", {
        FULCRUM_NODE: node,
        FULCRUM_TARGETS: file(`${node}.json`, JSON.stringify({ node, engines: [], gpus: [] })),
        FULCRUM_SCALER_URL: `wss://127.0.0.1:${port}/agents`,
        FULCRUM_LOG_LEVEL: "debug",
        ...settings,
      });
    const trust = { NODE_EXTRA_CA_CERTS: pair.cert };
    const token = file("token", "secret\n");
    const stranger = agent("stranger", { FULCRUM_TOKEN_FILE: token });
    const tokenless = agent("tokenless", trust);
    agent("known", { ...trust, FULCRUM_TOKEN_FILE: token });

    const ca = readFileSync(pair.cert);
    const nodes = async (): Promise<string[]> => (await read<PageState>(port, "/api/state", ca)).agents.map((a) => a.node);
    await until("the agent", async () => ((await nodes()).includes("known") ? true : undefined));
    await until("the refusal of a certificate", () => (/self.signed/.test(stranger.said()) ? true : undefined));
    await until("the refusal of no token", () => (tokenless.said().includes("401") ? true : undefined));
    expect(await nodes()).toEqual(["known"]);
  });
});
