import { execFile, spawn } from "node:child_process";
import { rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { AppsV1Api, AuthorizationV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import { GRANTS } from "../../scaler/kube/verbs.ts";
import type { PageDecision } from "../../wire/page.ts";
import { connectAgent, hello, type AgentClient } from "../scaler/support/agent-client.ts";
import { report } from "../scaler/support/reports.ts";
import { until } from "../scaler/support/wait.ts";
import { ownControlPlane, type Judged, type OwnControlPlane } from "../support/cluster/own.ts";
import { deploymentOf, policyOf } from "../support/cluster/served.ts";
import { component, needs } from "../support/components.ts";
import { overload } from "../support/overload.ts";

/**
 * The shipped manifests, applied to a real API server, and the program under the service accounts they make: who is let in, and what the
 * real authorizer lets each do. Its pods are in name only, so the scaler runs here, with the token its pod would have.
 */
const plane = ownControlPlane();
const kubectl = component("kubectl");
const missing = plane === undefined || kubectl === undefined;
const LONG = 120_000;
const SCALER = "fulcrum:fulcrum-scaler";
const run = promisify(execFile);

const own = (): OwnControlPlane => plane ?? fail();
function fail(): never {
  throw new Error("these tests need a control plane of their own");
}

const kube = async (...args: readonly string[]): Promise<string> =>
  (await run(kubectl ?? "", ["--kubeconfig", own().kubeconfig, ...args], { maxBuffer: 1 << 24 })).stdout;
const overlay = (name: string): string => join(HOME, "deploy", "overlays", name);

const NAMESPACES = ["watched", "scaled"] as const;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function apply(objects: readonly unknown[]): Promise<void> {
  const child = spawn(kubectl ?? "", ["--kubeconfig", own().kubeconfig, "apply", "-f", "-"], { stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.end(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error("kubectl apply failed");
}

const podsOf = async (namespace: string, role: string): Promise<string[]> =>
  (await own().core.listNamespacedPod({ namespace, labelSelector: `app=llama,role=${role}` })).items
    .filter(({ metadata, status }) => metadata?.deletionTimestamp === undefined && status?.phase === "Running")
    .map(({ metadata }) => metadata?.name ?? "");

/** The pod that the DaemonSet has on a node. */
const agentPod = (node: string): Promise<string> =>
  until(
    `the agent's pod of ${node}`,
    async () => {
      const { items } = await own().core.listNamespacedPod({
        namespace: "fulcrum",
        labelSelector: "app.kubernetes.io/name=fulcrum-agent",
        fieldSelector: `spec.nodeName=${node}`,
      });
      return items[0]?.metadata?.name;
    },
    LONG,
  );

interface RunningScaler {
  readonly port: number;
  said(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** The program with the settings and the account of deploy/base/scaler-deployment.yaml. */
async function startScaler(): Promise<RunningScaler> {
  const account = own().account(await own().token("fulcrum/fulcrum-scaler"));
  const journal = mkdtempSync(join(tmpdir(), "fulcrum-cluster-"));
  const settings = {
    ...{ FULCRUM_PORT: "0", FULCRUM_POLICY_OBJECTS: "all", FULCRUM_ACTUATOR: "kubernetes", FULCRUM_KUBECONFIG: account.kubeconfig },
    ...{ FULCRUM_LEASE: "fulcrum-scaler", FULCRUM_LEASE_NAMESPACE: "fulcrum", FULCRUM_AGENT_ACCOUNTS: "fulcrum/fulcrum-agent" },
    FULCRUM_JOURNAL: journal,
  };
  const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), "scaler"], {
    env: { ...process.env, ...settings },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const kill = (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    return exited;
  };
  cleanups.push(async () => {
    await kill("SIGTERM");
    account.remove();
    rmSync(journal, { recursive: true, force: true });
  });
  const port = await until("the scaler's port", () => Number(/"port":(\d+)[^\n]*scaler: listening/.exec(text)?.[1]) || undefined, LONG);
  return { port, said: () => text, kill };
}

const standing = async ({ port }: RunningScaler): Promise<string> => {
  const state = (await (await fetch(`http://127.0.0.1:${port}/api/state`)).json()) as { leader?: { standing?: string } };
  return state.leader?.standing ?? "";
};
const leading = (scaler: RunningScaler): Promise<unknown> =>
  until("the lead", async () => ((await standing(scaler)) === "leading" ? true : undefined), LONG);

/** An agent as node-a's pod would be one. */
async function openAgent({ port }: RunningScaler): Promise<AgentClient> {
  const token = await own().token("fulcrum/fulcrum-agent", { pod: await agentPod("node-a"), audience: "fulcrum" });
  const agent = await connectAgent(`ws://127.0.0.1:${port}/agents`, { authorization: `Bearer ${token}` });
  cleanups.push(() => agent.close());
  agent.send(hello("node-a"));
  await agent.next("welcome");
  return agent;
}

/** Loads both namespaces until each policy has such a decision. */
async function decided(scaler: RunningScaler, outcomes: Readonly<Record<(typeof NAMESPACES)[number], string>>): Promise<PageDecision[]> {
  const agent = await openAgent(scaler);
  let seq = 0;
  return until(
    "the decisions",
    async () => {
      const loaded = [];
      for (const namespace of NAMESPACES)
        loaded.push(...overload(namespace, { prefill: await podsOf(namespace, "prefill"), decode: await podsOf(namespace, "decode") }));
      agent.send(report({ seq: seq++, at: Date.now() / 1000, interval: 0.25, pools: loaded }));
      await agent.next("ack");
      const told = (await (await fetch(`http://127.0.0.1:${scaler.port}/api/decisions?limit=500`)).json()) as PageDecision[];
      const found = NAMESPACES.map((namespace) =>
        told.find((d) => d.policy === `${namespace}/llama` && d.outcome === outcomes[namespace] && d.decision.pools.prefill.replicas > 1),
      );
      await new Promise((resolve) => setTimeout(resolve, 250));
      return found.every((d) => d !== undefined) ? found : undefined;
    },
    LONG,
  );
}

const wanted = async (namespace: string, role = "prefill"): Promise<unknown> => {
  const config = new KubeConfig();
  config.loadFromFile(own().kubeconfig);
  return (await config.makeApiClient(AppsV1Api).readNamespacedDeployment({ namespace, name: role })).spec?.replicas;
};

/** Of the scaled namespace: a replica of each role, running, and no other. Before a scaler runs, which would want more. */
async function reset(): Promise<void> {
  for (const role of ["prefill", "decode"]) await kube("scale", `deployment/${role}`, "-n", "scaled", "--replicas=1");
  await until(
    "one pod of each",
    async () => {
      for (const role of ["prefill", "decode"]) if ((await podsOf("scaled", role)).length !== 1) return undefined;
      return true;
    },
    LONG,
  );
}

/** What an account asked for since, as the API server judged it. */
async function since(mark: number, account: string): Promise<readonly Judged[]> {
  return (await own().judged()).slice(mark).filter((call) => call.account === account);
}
const calls = (judged: readonly Judged[]): string[] =>
  [...new Set(judged.map(({ verb, resource, group, code }) => `${verb} ${resource} ${group}: ${code}`))].toSorted();
const reads = ({ verb }: Judged): boolean => ["get", "list", "watch"].includes(verb);

describe.skipIf(missing)(
  `the shipped manifests and accounts on a real API server [needs npm run test:cluster:real] ${needs("kubectl")}`,
  () => {
    beforeAll(async () => {
      await kube("apply", "-k", overlay("observe"));
      await kube("wait", "--for=condition=established", "crd/scalingpolicies.fulcrum.dev", "--timeout=60s");
      await apply(NAMESPACES.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })));
      await apply(NAMESPACES.flatMap((namespace) => ["prefill", "decode"].map((role) => deploymentOf(namespace, role))));
      await apply([policyOf("watched", "observe"), policyOf("scaled", "enforce")]);
      await until(
        "the pods",
        async () => {
          for (const namespace of NAMESPACES)
            for (const role of ["prefill", "decode"]) if ((await podsOf(namespace, role)).length === 0) return undefined;
          return true;
        },
        LONG,
      );
    }, LONG);
    afterAll(async () => {
      for (const namespace of NAMESPACES) await kube("delete", "namespace", namespace, "--timeout=90s");
      await kube("delete", "-k", overlay("enforce"), "--ignore-not-found", "--timeout=90s");
    }, LONG);

    it(
      "grant each account what its program asks for, and nothing else",
      async () => {
        const rules = async (account: string, namespace: string): Promise<string[]> => {
          const { kubeconfig, remove } = own().account(await own().token(account));
          cleanups.push(remove);
          const config = new KubeConfig();
          config.loadFromFile(kubeconfig);
          const api = config.makeApiClient(AuthorizationV1Api);
          const { status } = await api.createSelfSubjectRulesReview({
            body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } },
          });
          return (status?.resourceRules ?? []).flatMap(({ verbs, apiGroups = [], resources = [], resourceNames = [] }) =>
            apiGroups.flatMap((g) => resources.flatMap((r) => verbs.map((v) => `${v} ${r} ${g} ${resourceNames.join(",")}`))),
          );
        };
        const everybody = new Set(await rules("watched/default", "watched"));
        const more = async (account: string, namespace: string): Promise<string[]> =>
          (await rules(account, namespace)).filter((right) => !everybody.has(right)).toSorted();
        const asked = (...purposes: readonly string[]): string[] =>
          GRANTS.filter((grant) => purposes.includes(grant.for))
            .flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${resource} ${group} `))
            .toSorted();
        expect(await more("fulcrum/fulcrum-scaler", "scaled")).toEqual(asked("see", "tell", "admit"));
        const lead = (await more("fulcrum/fulcrum-scaler", "fulcrum")).filter((right) => !asked("see", "tell", "admit").includes(right));
        expect(lead).toEqual([
          ...["create configmaps  ", "create leases coordination.k8s.io "],
          ...["get configmaps  fulcrum-scaler-state,fulcrum-scaler-overrides", "get leases coordination.k8s.io fulcrum-scaler"],
          ...["update configmaps  fulcrum-scaler-state,fulcrum-scaler-overrides", "update leases coordination.k8s.io fulcrum-scaler"],
        ]);
        expect(await more("fulcrum/fulcrum-agent", "scaled")).toEqual(["list pods  ", "watch pods  "]);
        const doctor = "get leases coordination.k8s.io fulcrum-scaler";
        expect(await more("fulcrum/fulcrum-agent", "fulcrum")).toEqual([doctor, "list pods  ", "watch pods  "]);
      },
      LONG,
    );

    it(
      "let in the agent of a node as that node, and nobody with another account, audience or node",
      async () => {
        const scaler = await startScaler();
        await leading(scaler);
        const pod = await agentPod("node-a");
        const open = async (account: string, of: Parameters<OwnControlPlane["token"]>[1]): Promise<AgentClient> => {
          const token = await own().token(account, of);
          return connectAgent(`ws://127.0.0.1:${scaler.port}/agents`, { authorization: `Bearer ${token}` });
        };
        await expect(open("fulcrum/fulcrum-agent", { pod })).rejects.toThrow(/401/);
        await expect(open("watched/default", { audience: "fulcrum" })).rejects.toThrow(/401/);
        await expect(connectAgent(`ws://127.0.0.1:${scaler.port}/agents`, { authorization: "Bearer a.b.c" })).rejects.toThrow(/401/);
        const other = await open("fulcrum/fulcrum-agent", { pod, audience: "fulcrum" });
        other.send(hello("node-b"));
        expect(await other.next("refused")).toMatchObject({ code: "wrong-node", message: expect.stringContaining("node-a") as string });
        await openAgent(scaler);
        expect(scaler.said()).toContain("watched/default is not among agentAccounts");
      },
      LONG,
    );

    it(
      "with overlay observe it sees and recommends, tells the policies, and changes no workload whatever a policy says",
      async () => {
        const mark = (await own().judged()).length;
        const scaler = await startScaler();
        await leading(scaler);
        const [, refused] = await decided(scaler, { watched: "observe", scaled: "failed" });
        await until("what is told", async () => {
          const told = calls(await since(mark, SCALER));
          return told.some((call) => call.startsWith("create events ")) && told.some((call) => call.startsWith("patch "))
            ? true
            : undefined;
        });
        expect(refused?.error).toMatch(/403 .* is forbidden: User "system:serviceaccount:fulcrum:fulcrum-scaler" cannot/);
        const judged = await since(mark, SCALER);
        const writes = judged.filter((call) => !reads(call));
        expect(calls(writes).filter((call) => !/^(create|update) (leases|configmaps) /.test(call))).toEqual([
          "create events events.k8s.io: 201",
          "create tokenreviews authentication.k8s.io: 201",
          "patch scalingpolicies/status fulcrum.dev: 200",
        ]);
        // Nothing is refused but what the enforcing policy needs the component for.
        expect(calls(judged.filter(({ code }) => code === 403))).toEqual(["list horizontalpodautoscalers autoscaling: 403"]);
        expect([await wanted("scaled"), await wanted("watched")]).toEqual([1, 1]);
        const told = JSON.parse(await kube("get", "scalingpolicy", "llama", "-n", "watched", "-o", "json", "--show-managed-fields")) as {
          status: { conditions: { type: string; status: string }[] };
          metadata: { managedFields: { manager: string; operation: string; subresource?: string }[] };
        };
        expect(told.status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
        expect(told.metadata.managedFields).toContainEqual(
          expect.objectContaining({ manager: "fulcrum-status", operation: "Apply", subresource: "status" }),
        );
        const [, row = ""] = (await kube("get", "sp", "-n", "watched", "-o", "wide")).split("\n");
        expect(row).toMatch(/^llama +observe /);
      },
      LONG,
    );

    it(
      "with overlay enforce a decision becomes replicas, pods that run, and an event; nothing is refused",
      async () => {
        await kube("apply", "-k", overlay("enforce"));
        const mark = (await own().judged()).length;
        const scaler = await startScaler();
        await leading(scaler);
        await decided(scaler, { watched: "observe", scaled: "applied" });
        expect(await wanted("watched")).toBe(1);
        const replicas = Number(await wanted("scaled"));
        expect(replicas).toBeGreaterThan(1);
        await until("the pods", async () => ((await podsOf("scaled", "prefill")).length >= replicas ? true : undefined), LONG);
        const judged = await since(mark, SCALER);
        expect(calls(judged.filter(({ code }) => code === 403))).toEqual([]);
        const scaled = judged.filter((call) => !reads(call) && call.resource.endsWith("/scale"));
        expect(new Set(scaled.map(({ namespace }) => namespace))).toEqual(new Set(["scaled"]));
        const granted = new Set(GRANTS.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${resource} ${group}`)));
        expect(judged.map(({ verb, resource, group }) => `${verb} ${resource} ${group}`).filter((call) => !granted.has(call))).toEqual([]);
        const fields = JSON.parse(await kube("get", "deployment", "prefill", "-n", "scaled", "-o", "json", "--show-managed-fields")) as {
          metadata: { managedFields: { manager: string; subresource?: string }[] };
        };
        expect(fields.metadata.managedFields).toContainEqual(expect.objectContaining({ manager: "fulcrum", subresource: "scale" }));
        const events = await until("the event", async () => {
          const told = await kube(
            "get",
            "events",
            "-n",
            "scaled",
            "-o",
            "jsonpath={range .items[*]}{.reason} {.involvedObject.kind}{'\\n'}{end}",
          );
          return told.includes("ScaledUp") ? told : undefined;
        });
        expect(events).toContain("ScaledUp ScalingPolicy");
      },
      LONG,
    );

    it(
      "two scalers under one account: one leads, and when it is killed the other does, with what the first had learned",
      async () => {
        await reset();
        const scalers = [await startScaler(), await startScaler()];
        const standings = async (): Promise<string[]> => Promise.all(scalers.map(standing));
        await until("one to lead", async () => ((await standings()).includes("leading") ? true : undefined), LONG);
        await until("the other to stand by", async () => ((await standings()).includes("standby") ? true : undefined), LONG);
        const first = (await standings()).indexOf("leading");
        const [leader, heir] = [scalers[first], scalers[1 - first]];
        if (leader === undefined || heir === undefined) return fail();
        await leader.kill("SIGKILL");
        await leading(heir);
        await decided(heir, { watched: "observe", scaled: "applied" });
      },
      LONG,
    );

    it(
      "an API server that restarts and has forgotten what was (410): watches begin anew, and nothing is missed",
      async () => {
        const scaler = await startScaler();
        await leading(scaler);
        await decided(scaler, { watched: "observe", scaled: "applied" });
        const before = Number(await wanted("scaled", "decode"));
        const mark = (await own().judged()).length;
        await own().compact();
        await own().restart();
        await kube("scale", "deployment/decode", "-n", "scaled", `--replicas=${before + 1}`);
        await until(
          "the scaler to see it",
          async () => {
            const state = await kube("get", "sp", "llama", "-n", "scaled", "-o", "jsonpath={.status.decode.ready}");
            return Number(state) === before + 1 ? true : undefined;
          },
          LONG,
        );
        expect((await since(mark, SCALER)).filter(({ verb, resource }) => verb === "list" && resource === "pods")).not.toEqual([]);
      },
      LONG,
    );
  },
);
