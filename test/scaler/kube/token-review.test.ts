import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTokenReviewer } from "../../../scaler/kube/token-review.ts";
import { apiOf } from "../../support/kube-api/scene.ts";
import { status } from "../../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const AGENT = "system:serviceaccount:fulcrum:fulcrum-agent";
const TOKEN = "header.payload.agent";

let api: KubeApiServer;
const cleanups: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  api = await startKubeApi();
  api.tokens.set(TOKEN, { username: AGENT, audiences: ["fulcrum"], node: "node-a" });
  api.tokens.set("header.payload.unbound", { username: AGENT, audiences: ["fulcrum"] });
  api.tokens.set("header.payload.other", { username: "system:serviceaccount:serving:default", audiences: ["fulcrum"] });
  api.tokens.set("header.payload.api", { username: AGENT, audiences: ["https://kubernetes.default.svc"] });
  api.tokens.set("header.payload.person", { username: "alice", audiences: ["fulcrum"] });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  await api.close();
});
const reviews = (): number => api.calls.filter((call) => call.resource === "tokenreviews").length;
const down = (): void =>
  void (api.fault = ({ resource }) => (resource === "tokenreviews" ? status(503, "ServiceUnavailable", "etcd is away") : undefined));

describe("the review of a ServiceAccount token", () => {
  const start = () => {
    const clock = { at: 0 };
    const { signal } = new AbortController();
    const accounts = new Set(["fulcrum/fulcrum-agent"]);
    return { clock, reviewer: createTokenReviewer({ api: apiOf(api), audience: "fulcrum", accounts, clock: () => clock.at, signal }) };
  };

  it("admits an allowed account's token that was made for us, for the node of its pod", async () => {
    const { reviewer } = start();
    expect(await reviewer.review(TOKEN)).toEqual({ ok: true, node: "node-a" });
    expect(await reviewer.review("header.payload.unbound")).toEqual({ ok: true });
    expect(api.calls[0]?.body).toMatchObject({ kind: "TokenReview", spec: { token: TOKEN, audiences: ["fulcrum"] } });
  });

  it.each([
    ["header.payload.unknown", "does not know the token"],
    ["header.payload.other", "serving/default is not among agentAccounts"],
    ["header.payload.api", "does not know the token"],
    ["header.payload.person", "alice is no ServiceAccount"],
  ])("refuses %s: %s", async (token, why) => {
    expect(await start().reviewer.review(token)).toMatchObject({ ok: false, code: "unauthorized", reason: expect.stringContaining(why) });
  });

  it("refuses where the API server knows nothing of audiences: any token of the cluster would do", async () => {
    api.fault = () => ({ status: 201, body: { status: { authenticated: true, user: { username: AGENT } } } });
    expect(await start().reviewer.review(TOKEN)).toMatchObject({
      ok: false,
      code: "unauthorized",
      reason: expect.stringContaining("audience"),
    });
  });

  it("sends nothing to the API server that is no such token", async () => {
    const { reviewer } = start();
    for (const token of ["secret", "a.b", `a.${"b".repeat(9000)}.c`, "a.b.c\n"])
      expect(await reviewer.review(token)).toMatchObject({ ok: false, code: "unauthorized" });
    expect(reviews()).toBe(0);
  });

  it("asks once for many at once, believes the answer for a minute, a refusal for ten seconds", async () => {
    const { reviewer, clock } = start();
    await Promise.all(Array.from({ length: 20 }, () => reviewer.review(TOKEN)));
    expect(reviews()).toBe(1);
    clock.at = 59;
    await reviewer.review(TOKEN);
    expect(reviews()).toBe(1);
    api.tokens.delete(TOKEN);
    clock.at = 61;
    expect((await reviewer.review(TOKEN)).ok).toBe(false);
    clock.at = 70;
    expect((await reviewer.review(TOKEN)).ok).toBe(false);
    expect(reviews()).toBe(2);
    api.tokens.set(TOKEN, { username: AGENT, audiences: ["fulcrum"] });
    clock.at = 72;
    expect((await reviewer.review(TOKEN)).ok).toBe(true);
  });

  it("while the API server cannot be asked nobody new is welcome, and that is not remembered", async () => {
    const { reviewer } = start();
    down();
    expect(await reviewer.review(TOKEN)).toMatchObject({
      ok: false,
      code: "auth-unavailable",
      reason: expect.stringContaining("etcd is away"),
    });
    api.fault = () => undefined;
    expect((await reviewer.review(TOKEN)).ok).toBe(true);
  });

  it("holds a thousand agents that come at once to a few questions at a time", async () => {
    let [now, most] = [0, 0];
    api.fault = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 2));
      now--;
      return undefined;
    };
    const { reviewer } = start();
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => reviewer.review(`header.${n}.unknown`)));
    expect(answers.every((a) => !a.ok && a.code === "unauthorized")).toBe(true);
    expect(most).toBeLessThanOrEqual(16);
  });
});

describe("a scaler that asks the API server who its agents are", () => {
  async function start(more: Parameters<typeof runTestScaler>[0] = {}): Promise<RunningScaler> {
    const settings = { kubeconfig: api.kubeconfig, agentAccounts: ["fulcrum/fulcrum-agent"], ...more.settings };
    const scaler = await runTestScaler({ ...more, settings });
    cleanups.push(async () => {
      await scaler.stop();
      await scaler.remove();
    });
    return scaler;
  }
  const present = (scaler: RunningScaler, token: string) => connectAgent(`${scaler.ws}/agents`, { authorization: `Bearer ${token}` });

  it("takes the agent of the token's own node, refuses one that speaks for another, and counts", async () => {
    const scaler = await start();
    const agent = await present(scaler, TOKEN);
    agent.send(hello());
    await agent.next("welcome");
    const liar = await present(scaler, TOKEN);
    liar.send(hello("node-b"));
    expect(await liar.next("refused")).toMatchObject({ code: "wrong-node", message: "what was presented is good for node node-a only" });
    await expect(present(scaler, "header.payload.other")).rejects.toThrow("401");
    await expect(connectAgent(`${scaler.ws}/agents`)).rejects.toThrow("401");
    const page = await (await scaler.get("/metrics")).text();
    expect(page).toContain('fulcrum_reports_rejected_total{reason="unauthorized"} 2');
    expect(page).toContain('fulcrum_reports_rejected_total{reason="wrong-node"} 1');
    expect(scaler.log.lines.some((line) => JSON.stringify(line).includes("serving/default is not among agentAccounts"))).toBe(true);
  });

  it("keeps who is in when the API server goes away, turns away who comes, and counts why", async () => {
    const scaler = await start();
    const agent = await present(scaler, "header.payload.unbound");
    agent.send(hello());
    await agent.next("welcome");
    down();
    await expect(present(scaler, TOKEN)).rejects.toThrow("503");
    agent.send(report({ seq: 0 }));
    expect(await agent.next("ack")).toMatchObject({ seq: 0 });
    expect(await (await scaler.get("/metrics")).text()).toContain('fulcrum_reports_rejected_total{reason="auth-unavailable"} 1');
    api.fault = () => undefined;
    const back = await until("the agent", () => present(scaler, TOKEN).catch(() => undefined));
    back.send(hello());
    await back.next("welcome");
  });

  it("takes static tokens beside, without asking", async () => {
    const scaler = await start({ settings: { token: "static" } });
    const agent = await present(scaler, "static");
    agent.send(hello());
    await agent.next("welcome");
    expect(reviews()).toBe(0);
  });

  it("does not start without a cluster to ask", async () => {
    const settings = { kubeconfig: "/nowhere/config", agentAccounts: ["fulcrum/fulcrum-agent"] };
    await expect(runTestScaler({ settings })).rejects.toThrow(/agentAccounts: \/nowhere\/config: cannot be read/);
  });
});
