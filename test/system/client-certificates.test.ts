import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import type { PageState } from "../../wire/page.ts";
import { until } from "../scaler/support/wait.ts";
import { makeClientCa } from "../support/client-certificates.ts";
import { needs } from "../support/components.ts";
import { makeKeyPair, openssl, type KeyPairFolder } from "../support/key-pair.ts";
import { POLICY_TEXT } from "../scaler/support/policy.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
const kept = <T extends { remove(): void }>(made: T): T => {
  cleanups.push(() => made.remove());
  return made;
};

interface Running {
  readonly child: ChildProcess;
  said(): string;
}

function spawned(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  // openssl s_server serves as long as its input is open.
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { child, said: () => text };
}

const fulcrum = (command: string, settings: Readonly<Record<string, string>>): Running => {
  const off = { FULCRUM_PORT: "0", FULCRUM_OTLP_GRPC_PORT: "off", FULCRUM_OTLP_HTTP_PORT: "off", FULCRUM_GPU_READER: "off" };
  return spawned(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), command], { ...off, ...settings });
};

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An agent's settings, with its targets file beside the server's certificate. */
function agentSettings(server: KeyPairFolder, port: number, node: string, pair?: Pair): Record<string, string> {
  const targets = join(dirname(server.cert), `${node}.json`);
  writeFileSync(targets, JSON.stringify({ node, engines: [], gpus: [] }));
  return {
    ...{ FULCRUM_NODE: node, FULCRUM_TARGETS: targets, FULCRUM_SCALER_URL: `wss://127.0.0.1:${port}/agents` },
    NODE_EXTRA_CA_CERTS: server.cert,
    ...(pair !== undefined && { FULCRUM_CLIENT_CERT: pair.cert, FULCRUM_CLIENT_KEY: pair.key }),
  };
}

async function connectedNodes(port: number, server: KeyPairFolder): Promise<readonly string[]> {
  const state = await new Promise<PageState>((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/api/state", ca: readFileSync(server.cert) }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(JSON.parse(text) as PageState));
    }).on("error", reject);
  });
  return state.agents.map(({ node }) => node);
}

async function doctor(settings: Readonly<Record<string, string>>): Promise<string> {
  const { child, said } = fulcrum("doctor", settings);
  await once(child, "close");
  return said();
}

const REFUSED = "the scaler refused our certificate: ";

// What deploy/components/agent-certificates sets, as processes.
describe.skipIf(openssl === undefined)(`agents with client certificates ${needs("openssl")}`, () => {
  it("links who has one of the CA, tells the others why not, and takes a renewed one up; the doctor says the same", async () => {
    const [server, ca] = [kept(makeKeyPair()), kept(makeClientCa())];
    const policies = join(dirname(server.cert), "policy.yaml");
    writeFileSync(policies, POLICY_TEXT);
    const tls = { FULCRUM_TLS_CERT: server.cert, FULCRUM_TLS_KEY: server.key, FULCRUM_CLIENT_CA: ca.cert };
    const scaler = fulcrum("scaler", { FULCRUM_POLICIES: policies, ...tls });
    const port = await until("the scaler's port", () => {
      const found = /"port":(\d+)[^\n]*scaler: listening/.exec(scaler.said())?.[1];
      return found === undefined ? undefined : Number(found);
    });
    const settings = (node: string, pair?: Pair): Record<string, string> => agentSettings(server, port, node, pair);
    const expired = ca.issue("fulcrum-agent", { days: -1 });
    const known = settings("known", ca.issue("system:node:known"));
    const late = settings("late", expired);
    const none = settings("none");
    fulcrum("agent", known);
    const refused = [
      [fulcrum("agent", late), "it has expired"],
      [fulcrum("agent", none), "no client certificate was presented"],
      [fulcrum("agent", settings("other", kept(makeClientCa()).issue("system:node:other"))), "clientCa does not hold its CA"],
    ] as const;
    for (const [agent, why] of refused) await until(why, () => (agent.said().includes(REFUSED + why) ? true : undefined));
    await until("the agent", async () => ((await connectedNodes(port, server)).includes("known") ? true : undefined));
    expect(await connectedNodes(port, server)).toEqual(["known"]);

    expect(await doctor(known)).toMatch(/ok {3}client certificate .*CN=system:node:known.*\n.*ok {3}link wss/);
    const said = await doctor(late);
    expect(said).toMatch(/FAIL client certificate .*: expired at 20/);
    expect(said).toContain(`FAIL link ${late["FULCRUM_SCALER_URL"]}: ${REFUSED}it has expired`);
    expect(await doctor(none)).toContain(`${REFUSED}no client certificate was presented`);

    const renewed = ca.issue("system:node:late");
    copyFileSync(renewed.cert, expired.cert);
    copyFileSync(renewed.key, expired.key);
    await until("the renewed one", async () => ((await connectedNodes(port, server)).includes("late") ? true : undefined));
  });

  it("says so too where TLS itself refuses, after what is a handshake for the client (TLS 1.3)", async () => {
    const [server, ca] = [kept(makeKeyPair()), kept(makeClientCa())];
    const strict = ["-Verify", "1", "-verify_return_error", "-CAfile", ca.cert, "-tls1_3"];
    const files = ["-cert", server.cert, "-key", server.key];
    const gate = spawned(openssl ?? "", ["s_server", "-accept", "127.0.0.1:0", ...files, ...strict]);
    const port = Number(await until("the port", () => /ACCEPT \S*:(\d+)/.exec(gate.said())?.[1]));
    const agents = [
      [agentSettings(server, port, "none"), "none was presented"],
      [agentSettings(server, port, "late", ca.issue("fulcrum-agent", { days: -1 })), "it has expired"],
      [agentSettings(server, port, "other", kept(makeClientCa()).issue("fulcrum-agent")), "it does not know its CA"],
    ] as const;
    for (const [settings, why] of agents) {
      const agent = fulcrum("agent", settings);
      await until(why, () => (agent.said().includes(REFUSED + why) ? true : undefined));
    }
  });
});
