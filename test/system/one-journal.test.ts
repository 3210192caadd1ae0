import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { readJournal } from "../../scaler/journal/read.ts";
import { HOME } from "../../scripts/gates/command.ts";
import { until } from "../scaler/support/wait.ts";
import { needs } from "../support/components.ts";
import { makeKeyPair, openssl } from "../support/key-pair.ts";
import { startKubeApi, type KubeApiServer } from "../support/kube-api/server.ts";
import { startWorkload } from "../support/kube-api/workload.ts";
import { runCli } from "../support/run-cli.ts";

const POLICY = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama, namespace: default }
spec:
  objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }
  budget: { gpus: 16 }
  pools:
    prefill: { target: { apiVersion: apps/v1, kind: Deployment, name: prefill } }
    decode: { target: { apiVersion: apps/v1, kind: Deployment, name: decode } }
  behavior: { interval: 200ms }
`;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Running {
  readonly child: ChildProcess;
  readonly journal: string;
  said(): string;
}

/** A scaler on an address that its certificate does not name, as a pod's is not. */
function start(server: KubeApiServer, pair: { readonly cert: string; readonly key: string }): Running {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-journals-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const [policies, journal] = [join(directory, "policy.yaml"), join(directory, "journal")];
  writeFileSync(policies, POLICY);
  const settings = {
    ...{ FULCRUM_ACTUATOR: "kubernetes", FULCRUM_KUBECONFIG: server.kubeconfig, FULCRUM_POLICIES: policies, FULCRUM_JOURNAL: journal },
    ...{ FULCRUM_PORT: "0", FULCRUM_HOST: "127.0.0.2", FULCRUM_ADVERTISE: "127.0.0.2", FULCRUM_CERTIFICATE_NAME: "localhost" },
    ...{ FULCRUM_TLS_CERT: pair.cert, FULCRUM_TLS_KEY: pair.key, NODE_EXTRA_CA_CERTS: pair.cert },
  };
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), "scaler"], {
    env: { ...process.env, ...settings },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  cleanups.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { child, journal, said: () => text };
}

const ticks = async (journal: string): Promise<readonly number[]> =>
  (await readJournal(journal).catch(() => ({ records: [] }))).records.flatMap((r) => (r.kind === "tick" ? [r.at] : []));

describe.skipIf(openssl === undefined)(`two scalers over TLS ${needs("openssl")}`, () => {
  it("the one that is left explains and replays what a leader decided that was killed and lost its disk", async () => {
    const pair = makeKeyPair();
    cleanups.push(pair.remove);
    const server = await startKubeApi();
    cleanups.push(() => server.close());
    for (const name of ["prefill", "decode"]) startWorkload(server, "Deployment", name, { replicas: 1 });
    const first = start(server, pair);
    await until("the first's decisions", async () => ((await ticks(first.journal)).length > 5 ? true : undefined));
    const second = start(server, pair);
    await until("their copy", async () => ((await ticks(second.journal)).length > 20 ? true : undefined));
    first.child.kill("SIGKILL");
    const before = await ticks(first.journal);
    rmSync(first.journal, { recursive: true, force: true });
    const last = before.at(-1) ?? 0;
    // The lease of a scaler that was killed runs out in 15 s.
    const goesOn = async (): Promise<true | undefined> =>
      (await ticks(second.journal)).filter((at) => at > last).length > 5 ? true : undefined;
    await until("the second to go on", goesOn, 60_000);
    second.child.kill("SIGTERM");
    await new Promise((resolve) => second.child.once("exit", resolve));

    const kept = await ticks(second.journal);
    // All but those of the last round before the end.
    expect(before.filter((at) => at < last - 4 && !kept.includes(at))).toEqual([]);
    const explained = await runCli(["explain", second.journal, "--at", new Date((before[3] ?? 0) * 1000).toISOString()]);
    expect([explained.code, explained.stderr]).toEqual([0, ""]);
    expect(explained.stdout).toContain("default/llama");
    const replayed = await runCli(["replay", second.journal]);
    expect(replayed.code).toBe(0);
  }, 90_000);
});
