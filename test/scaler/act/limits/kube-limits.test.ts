import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ActResult } from "../../../../scaler/act/actuator.ts";
import { decide, openScene, policyFor, type Scene } from "../../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../../support/kube-api/server.ts";
import type { Fields } from "../../../support/kube-api/store.ts";
import { startWorkload, type Workload } from "../../../support/kube-api/workload.ts";
import { until } from "../../support/wait.ts";

let server: KubeApiServer;
let scene: Scene;
let engines: Server;
const asked: unknown[] = [];
let answer = 200;
/** What an engine with SGLang's admin key wants to see; undefined = it has none. */
let wantedKey: string | undefined;
let keyFile: string | undefined;
const { signal } = new AbortController();

beforeEach(async () => {
  server = await startKubeApi();
  asked.length = 0;
  answer = 200;
  wantedKey = keyFile = undefined;
  engines = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      asked.push([request.method, request.url, JSON.parse(body)]);
      const known = wantedKey === undefined || request.headers.authorization === `Bearer ${wantedKey}`;
      const status = known ? answer : 401;
      response.writeHead(status).end(status === 200 ? `{"updated":true}` : "unauthorized");
    });
  });
  await new Promise<void>((resolve) => engines.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  scene.stop();
  await new Promise<void>((resolve) => engines.close(() => resolve()));
  await server.close();
});

type Apply = "recommend" | "live" | "rollout";

/** Two Deployments whose pods run an engine, and a policy that applies limits so. */
function open(
  args: readonly string[],
  apply: { readonly prefill?: Apply; readonly decode?: Apply },
  more: Fields = {},
  kind = "Deployment",
): void {
  const container = { name: "engine", args };
  const strategy = { rollingUpdate: { maxSurge: 0 } };
  const workloads = ["p", "d"].map((name) => startWorkload(server, kind, name, { replicas: 1, template: { containers: [container] } }));
  for (const name of ["p", "d"])
    server.store.update(kind === "Deployment" ? "deployments.apps" : "statefulsets.apps", "demo", name, (o) => ({
      ...o,
      spec: { ...o.spec, strategy, template: { spec: { containers: [container] } }, ...more },
    }));
  const policy = policyFor(...(workloads as [Workload, Workload]), 8);
  const { prefill, decode } = policy.spec.pools;
  const pools = {
    prefill: { ...prefill, batch: { ...prefill.batch, apply: apply.prefill ?? "recommend" } },
    decode: { ...decode, batch: { ...decode.batch, apply: apply.decode ?? "recommend" } },
  };
  scene = openScene(server, { ...policy, spec: { ...policy.spec, pools } }, undefined, keyFile);
}
const limit = async (maxBatchedTokens: number, maxNumSeqs: number): Promise<ActResult> => {
  const { pools, ...rest } = decide(1, 1);
  const decision = {
    ...rest,
    pools: { prefill: { ...pools.prefill, limits: { maxBatchedTokens } }, decode: { ...pools.decode, limits: { maxNumSeqs } } },
  };
  const facts = await until("ready pods", async () => {
    const now = await scene.facts();
    return [now.prefill, now.decode].every((p) => p.replicas.length === 1) ? now : undefined;
  });
  return scene.actuator.apply(scene.policy, decision, facts, signal);
};
const argsOf = (name: string): unknown => {
  const template = server.store.get("deployments.apps", "demo", name)?.spec?.["template"] as { spec: { containers: { args: unknown }[] } };
  return template.spec.containers[0]?.args;
};
const port = (): string => String((engines.address() as AddressInfo).port);

describe("live", () => {
  test("SGLang's decode engines are told once each; a new pod is told too", async () => {
    open(["sglang", "serve", "--port", port(), "--max-running-requests", "256"], { decode: "live" });
    expect(await limit(4096, 96)).toEqual({
      outcome: "applied",
      actions: [{ role: "decode", pool: "d", kind: "limit", from: 256, to: 96 }],
    });
    expect(asked).toEqual([["POST", "/set_internal_state", { server_args: { pp_max_micro_batch_size: 96 } }]]);
    expect(await limit(4096, 96)).toEqual({ outcome: "unchanged", actions: [] });
    expect(asked).toHaveLength(1);
    expect(await limit(4096, 64)).toMatchObject({ actions: [{ from: 96, to: 64 }] });
    expect(asked).toHaveLength(2);
  });

  test("an engine that refuses is told, and asked again", async () => {
    open(["sglang", "serve", "--port", port()], { decode: "live" });
    answer = 401;
    const done = await limit(4096, 96);
    expect(done).toMatchObject({ outcome: "held", actions: [] });
    expect(done.error).toBe(
      "decode pool d: batch limit 96 is not applied: engine of pod d-0 answered 401 unauthorized; it wants a key: set engineKeyFile (FULCRUM_ENGINE_KEY_FILE) (0 of 1 took it)",
    );
    answer = 200;
    expect((await limit(4096, 96)).outcome).toBe("applied");
  });

  test("an engine with an admin key takes it with that key, read anew each time, and no word tells what it is", async () => {
    wantedKey = "first-key";
    const folder = await mkdtemp(join(tmpdir(), "fulcrum-key-"));
    keyFile = join(folder, "key");
    open(["sglang", "serve", "--port", port()], { decode: "live" });
    // The Secret may be left out, and may come later.
    expect((await limit(4096, 96)).error).toContain("answered 401 unauthorized; it wants a key");
    await writeFile(keyFile, "wrong-key\n");
    expect((await limit(4096, 96)).error).toBe(
      "decode pool d: batch limit 96 is not applied: engine of pod d-0 answered 401 unauthorized (0 of 1 took it)",
    );
    await writeFile(keyFile, "first-key\n");
    expect((await limit(4096, 96)).outcome).toBe("applied");
    await writeFile(keyFile, "two\nlines");
    const bad = (await limit(4096, 64)).error ?? "";
    expect([bad.includes("not a key; write one line"), bad.includes("lines\n")]).toEqual([true, false]);
    await rm(folder, { recursive: true });
    await mkdir(keyFile, { recursive: true });
    expect((await limit(4096, 64)).error).toContain("cannot be read (EISDIR)");
    await rm(folder, { recursive: true });
  });

  test("what engines run with is in the facts: their argument, then what they took; and that they take no more", async () => {
    open(["sglang", "serve", "--port", port(), "--max-running-requests", "256"], { decode: "live" });
    const facts = async () => (await scene.seen(1, 1)).decode.limits;
    expect(await facts()).toEqual({ maxNumSeqs: 256 });
    await limit(4096, 96);
    expect(await facts()).toEqual({ maxNumSeqs: 96 });
    answer = 401;
    await limit(4096, 64);
    expect(await facts()).toEqual({ maxNumSeqs: 96, fixed: true });
    answer = 200;
    await limit(4096, 64);
    expect(await facts()).toEqual({ maxNumSeqs: 64 });
  });

  test("an engine that takes none live is known before it is asked; a recommendation says nothing of it", async () => {
    open(["vllm", "serve", "m", "--max-num-seqs=32", "--max-num-batched-tokens", "2048"], { decode: "live" });
    const { prefill, decode } = await scene.seen(1, 1);
    expect([prefill.limits, decode.limits]).toEqual([{ maxBatchedTokens: 2048 }, { maxNumSeqs: 32, fixed: true }]);
  });

  test.each([
    [
      "vLLM",
      ["vllm", "serve", "m"],
      /decode pool d: batch limit 96 is not applied: vLLM takes no limit while it runs; set batch\.apply to rollout/,
    ],
    ["an unknown engine", ["serve"], /no container of its pods starts an engine that is known here/],
  ])("%s: refused with what to set instead", async (_what, args, message) => {
    open(args, { decode: "live" });
    expect(await limit(4096, 96)).toMatchObject({ outcome: "held", actions: [], error: expect.stringMatching(message) as string });
  });
});

describe("rollout", () => {
  test("one argument of one pool's template, then nothing for an hour, whoever leads", async () => {
    open(["vllm", "serve", "m", "--max-num-seqs=256", "--max-num-batched-tokens", "8192"], { prefill: "rollout", decode: "rollout" });
    const first = await limit(2048, 96);
    expect(first).toMatchObject({ outcome: "applied", actions: [{ role: "prefill", pool: "p", kind: "limit", from: 8192, to: 2048 }] });
    expect(first.error).toBe("decode pool d: batch limit 96 is not applied: to be rolled out: the other pool goes first");
    expect(argsOf("p")).toEqual(["vllm", "serve", "m", "--max-num-seqs=256", "--max-num-batched-tokens", "2048"]);
    expect(argsOf("d")).toContain("--max-num-seqs=256");
    scene.stop();
    scene = openScene(server, scene.policy);
    const next = await limit(2048, 96);
    expect(next).toMatchObject({
      outcome: "held",
      actions: [],
      error: expect.stringContaining("one rollout in 3600 s is the budget") as string,
    });
    server.store.update("deployments.apps", "demo", "p", (o) => ({
      ...o,
      metadata: { ...o.metadata, annotations: { "fulcrum.dev/limits-rolled-out-at": "2020-01-01T00:00:00Z" } },
    }));
    expect(await limit(2048, 96)).toMatchObject({ outcome: "applied", actions: [{ role: "decode", from: 256, to: 96 }] });
    expect(argsOf("d")).toContain("--max-num-seqs=96");
  });

  test("not for a small difference, and not while the cluster has moved on", async () => {
    open(["vllm", "serve", "m", "--max-num-seqs", "100"], { decode: "rollout" });
    expect(await limit(2048, 90)).toEqual({ outcome: "unchanged", actions: [] });
    server.fault = (call) => {
      if (call.verb === "patch")
        server.store.update("deployments.apps", "demo", "d", (o) => ({ ...o, metadata: { ...o.metadata, labels: { a: "b" } } }));
      return undefined;
    };
    expect((await limit(2048, 50)).error).toContain("409");
    expect(argsOf("d")).toContain("100");
  });

  test.each<[string, Fields, string, RegExp]>([
    [
      "a surge",
      { strategy: { rollingUpdate: { maxSurge: "25%" } } },
      "Deployment",
      /maxSurge 25% needs GPUs beyond the budget; set .*maxSurge to 0/,
    ],
    ["the default surge", { strategy: {} }, "Deployment", /maxSurge 25%/],
    ["Recreate", { strategy: { type: "Recreate" } }, "Deployment", /ends all replicas at once/],
    ["another kind", {}, "StatefulSet", /only a Deployment's arguments are rolled out, not those of StatefulSet demo\/d/],
  ])("%s: refused with the reason", async (_what, more, kind, message) => {
    open(["vllm", "serve", "m"], { decode: "rollout" }, more, kind);
    expect(await limit(2048, 96)).toMatchObject({ outcome: "held", actions: [], error: expect.stringMatching(message) as string });
    expect(server.calls.filter((c) => c.verb === "patch")).toEqual([]);
  });
});

test("recommend changes nothing and refuses nothing", async () => {
  open(["vllm", "serve", "m"], {});
  expect(await limit(2048, 96)).toEqual({ outcome: "unchanged", actions: [] });
});
