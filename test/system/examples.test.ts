import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readPod } from "../../agent/discover/pod-object.ts";
import { attribute } from "../../core/discover/attribute.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { policyFromJson } from "../../scaler/policy/load.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { HOME } from "../../scripts/gates/command.ts";
import type { Structural } from "../../scripts/crd/structural.ts";
import type { PageDecision } from "../../wire/page.ts";
import { connectAgent, hello, type AgentClient } from "../scaler/support/agent-client.ts";
import { buckets, pool, replica, report } from "../scaler/support/reports.ts";
import { until } from "../scaler/support/wait.ts";
import { component, needs } from "../support/components.ts";
import { at } from "../support/kube-api/patch.ts";
import { status } from "../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../support/kube-api/server.ts";
import type { KubeObject } from "../support/kube-api/store.ts";
import { KINDS } from "../support/kube-api/kinds.ts";
import { modelProblems } from "../support/kube-models.ts";
import { kustomized } from "../support/manifests.ts";
import { violations } from "../support/openapi.ts";
import { rightsOf } from "../support/rights.ts";
import { operate, rolesOf, stackProblems, type Role } from "../support/stacks.ts";

const kubectl = component("kubectl");
const root = fileURLToPath(new URL("../..", import.meta.url));
const STACKS = ["vllm", "sglang", "dynamo", "llm-d", "rbg", "kserve"] as const;
const SCHEMA = (
  parse(readFileSync(join(root, "deploy/base/crd/scalingpolicies.yaml"), "utf8")) as {
    spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] };
  }
).spec.versions[0].schema.openAPIV3Schema;

const RIGHTS = new Set([
  ...rightsOf("base/scaler-rbac.yaml", "ClusterRole", "Role"),
  ...rightsOf("base/scaler-policies-rbac.yaml", "ClusterRole"),
  ...rightsOf("components/act/rbac.yaml", "ClusterRole"),
  ...rightsOf("components/act-on-components/rbac.yaml", "ClusterRole"),
]);

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const manifests = (stack: string) => kustomized(kubectl ?? "", `examples/${stack}`);
function policyIn(stack: string): Policy {
  const object = manifests(stack).find(({ kind }) => kind === "ScalingPolicy");
  const parsed = policyFromJson(object);
  if (!parsed.ok) throw new Error(parsed.error.map(({ message }) => message).join("; "));
  return parsed.value;
}

/** Applies every object of an example through the API, as kubectl would. */
async function apply(server: KubeApiServer, stack: string): Promise<void> {
  for (const object of manifests(stack)) {
    const [group, version] = object.apiVersion.includes("/") ? (object.apiVersion.split("/") as [string, string]) : ["", object.apiVersion];
    const kind = KINDS.find((k) => k.group === group && k.version === version && k.kind === object.kind);
    if (kind === undefined) throw new Error(`the server does not serve ${object.apiVersion} ${object.kind}`);
    const path = `${group === "" ? "/api" : `/apis/${group}`}/${version}/namespaces/${object.metadata.namespace ?? ""}/${kind.plural}`;
    const headers = { authorization: "Bearer secret", "content-type": "application/json" };
    const answer = await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(object) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }
}

async function startScaler(server: KubeApiServer): Promise<number> {
  const flags = { actuator: "kubernetes", kubeconfig: server.kubeconfig, "policy-objects": "all", port: "0" };
  const args = ["scaler", ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  cleanups.push(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return until("the scaler's port", () => {
    const found = /"port":(\d+)[^\n]*scaler: listening/.exec(said)?.[1];
    return found === undefined ? undefined : Number(found);
  });
}

/** A pod as the agent's discovery places it. */
function placed(pod: KubeObject): EngineTarget {
  const read = readPod(pod);
  if (!read.ok) throw new Error(read.error);
  const found = attribute(read.value);
  if (found.kind !== "engine") throw new Error(`${pod.metadata.name}: ${JSON.stringify(found)}`);
  return found.target;
}

/** In a quarter of a second: prompts for five times what a replica of the built-in prior computes. */
function loaded(targets: readonly EngineTarget[]) {
  const of = (role: "prefill" | "decode") => {
    const own = targets.filter((target) => target.role === role);
    const [first] = own;
    if (first === undefined) throw new Error(`no ${role} pod was placed`);
    const { namespace, pool: name, model, engine } = first;
    return { namespace, pool: name, role, model, engine, replicas: own.map(({ pod }) => replica(pod, { waiting: 0, running: 4 })) };
  };
  return [
    pool({
      ...of("prefill"),
      counters: { promptTokens: 50_000, cachedTokens: 0, requestsFinished: 10 },
      distributions: { ttft: buckets([0.5, 1, 2], [0, 2, 8, 0]) },
    }),
    pool({
      ...of("decode"),
      counters: { generatedTokens: 1000, requestsFinished: 10 },
      distributions: { itl: buckets([0.01, 0.03, 0.1], [900, 100, 0, 0]) },
    }),
  ];
}

describe.skipIf(kubectl === undefined)(`deploy/examples ${needs("kubectl")}`, () => {
  it("are those of docs/install.md, and keda", () => {
    const folders = readdirSync(join(root, "deploy/examples")).toSorted();
    expect(folders).toEqual(["keda", ...STACKS].toSorted());
    const install = readFileSync(join(root, "docs/install.md"), "utf8");
    expect(STACKS.filter((stack) => !install.includes(`deploy/examples/${stack}`))).toEqual([]);
  });

  it.each(STACKS)("%s: no field that its kinds do not have, and a policy that starts by looking", (stack) => {
    const objects = manifests(stack);
    const problems = objects.flatMap((object) =>
      object.kind === "ScalingPolicy" ? violations(SCHEMA, object) : (stackProblems(object) ?? modelProblems(object)),
    );
    expect(problems).toEqual([]);
    expect(new Set(objects.map((object) => object.metadata.namespace))).toEqual(new Set(["serving"]));
    expect(policyIn(stack).spec.mode).toBe("observe");
  });

  it.each(STACKS)(
    "%s: applied, the scaler recommends from what it sees, says so in the policy's status, and scales once it is told to",
    async (stack) => {
      const server = await startKubeApi();
      cleanups.push(() => server.close());
      await apply(server, stack);
      const roles = rolesOf(manifests(stack));
      const operator = operate(server, "serving", roles);
      server.fault = ({ verb, resource, group }) =>
        RIGHTS.has(`${verb} ${resource} ${group}`) ? undefined : status(403, "Forbidden", `${verb} of ${resource} is not granted`);
      const prefill = roles.find(({ role }) => role === "prefill");
      if (prefill === undefined) throw new Error("no prefill role");
      const wanted = (): number => Number(at(server.store.get(prefill.count.resource, "serving", prefill.count.name), prefill.count.path));
      const targets = (): EngineTarget[] => roles.flatMap((role: Role) => operator.pods(role)).map(placed);

      const { spec } = policyIn(stack);
      for (const target of targets()) {
        if (target.role !== "prefill" && target.role !== "decode") throw new Error(`${target.pod}: ${target.role}`);
        const named = spec.pools[target.role].target;
        expect(target).toMatchObject({ namespace: "serving", model: "llama-8b" });
        if (named?.component === undefined) expect(target.pool).toBe(named?.name);
      }

      const port = await startScaler(server);
      const agent = await connect(port);
      let seq = 0;
      const feed = async (): Promise<PageDecision[]> => {
        agent.send(report({ seq: seq++, at: Date.now() / 1000, interval: 0.25, pools: loaded(targets()) }));
        await agent.next("ack");
        await new Promise((resolve) => setTimeout(resolve, 250));
        return (await (await fetch(`http://127.0.0.1:${port}/api/decisions?limit=50`)).json()) as PageDecision[];
      };
      await until(
        "the first recommendation",
        async () => (await feed()).find(({ outcome, decision }) => outcome === "observe" && decision.pools.prefill.replicas > 1),
        60_000,
      );
      expect(wanted()).toBe(1);
      type Told = { readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[] };
      const told = (): string | undefined => {
        const said = server.store.get("scalingpolicies.fulcrum.dev", "serving", "llama")?.status as Told | undefined;
        return said?.conditions.map((c) => `${c.type} ${c.status} ${c.reason}`).join(", ");
      };
      await until("its status", async () => ((await feed()) && told()?.startsWith("Ready True Valid") === true ? true : undefined), 30_000);

      server.store.update("scalingpolicies.fulcrum.dev", "serving", "llama", (o) => ({
        ...o,
        // Sooner than in the example, for the test's sake.
        spec: { ...o.spec, mode: "enforce", behavior: { interval: "500ms" } },
        metadata: { ...o.metadata, generation: 2 },
      }));
      await until("the scale-up", async () => ((await feed()) && wanted() > 1 ? true : undefined), 60_000);
      await until("the new pods in their pool", async () =>
        (await feed()) && operator.pods(prefill).length === wanted() ? true : undefined,
      );
      await until("the event", () =>
        server.store.list("events.events.k8s.io", "serving").some((event) => event["reason"] === "ScaledUp") ? true : undefined,
      );
      expect(server.calls.filter((call) => call.status === 403)).toEqual([]);
    },
    180_000,
  );
});

async function connect(port: number): Promise<AgentClient> {
  return until("the leader to take the agent", async () => {
    try {
      const agent = await connectAgent(`ws://127.0.0.1:${port}/agents`);
      agent.send(hello());
      await agent.next("welcome");
      return agent;
    } catch {
      return undefined;
    }
  });
}
