import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createIntakeServer, type IntakeOptions, type IntakeServer, type Refusal } from "../../../scaler/intake/server.ts";
import { admitted, refused } from "../../../scaler/intake/admission.ts";
import { LIMITS, type NodeReport } from "../../../wire/messages.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { report } from "../support/reports.ts";
import { until } from "../support/wait.ts";

interface Started {
  readonly url: string;
  readonly intake: IntakeServer;
  readonly reports: NodeReport[];
  readonly refusals: Refusal[];
  readonly links: string[];
}

let http: Server | undefined;
let open: IntakeServer | undefined;

async function start(options: Partial<IntakeOptions> = {}): Promise<Started> {
  const reports: NodeReport[] = [];
  const refusals: Refusal[] = [];
  const links: string[] = [];
  const intake = createIntakeServer(
    {
      foldedSeq: (node, boot) => reports.filter((r) => r.node === node && r.boot === boot).at(-1)?.seq ?? -1,
      connected: (node) => links.push(`+${node}`),
      disconnected: (node) => links.push(`-${node}`),
      report(r) {
        const fresh = !reports.some((other) => other.node === r.node && other.boot === r.boot && other.seq >= r.seq);
        if (fresh) reports.push(r);
        return fresh;
      },
      refused: (code) => refusals.push(code),
    },
    { maxAgents: 10, admit: () => admitted(), ...options },
  );
  const server = createServer();
  server.on("upgrade", intake.handleUpgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  http = server;
  open = intake;
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/agents`, intake, reports, refusals, links };
}

afterEach(async () => {
  open?.close();
  http?.closeAllConnections();
  await new Promise((resolve) => (http === undefined ? resolve(undefined) : http.close(resolve)));
  http = undefined;
});

describe("the agents' link", () => {
  test("hello is answered with what is folded, reports with an acknowledgement, duplicates too", async () => {
    const { url, intake, reports, refusals, links } = await start();
    const agent = await connectAgent(url);
    agent.send(hello());
    expect(await agent.next("welcome")).toEqual({ type: "welcome", v: 1, seq: -1 });
    expect(intake.agents()).toBe(1);
    for (const seq of [0, 1, 1]) agent.send(report({ seq }));
    expect([(await agent.next("ack")).seq, (await agent.next("ack")).seq, (await agent.next("ack")).seq]).toEqual([0, 1, 1]);
    expect(reports.map((r) => r.seq)).toEqual([0, 1]);
    expect(refusals).toEqual(["duplicate"]);

    agent.close();
    await until("the end of the link", () => (links.includes("-node-a") ? true : undefined));
    const again = await connectAgent(url);
    again.send(hello());
    expect((await again.next("welcome")).seq).toBe(1);
    again.send(hello("node-a", "boot-2"));
    expect((await again.next("welcome")).seq).toBe(-1);
  });

  test("the newest agent of a node wins; the older is told and closed", async () => {
    const { url, intake, links } = await start();
    const [first, second] = [await connectAgent(url), await connectAgent(url)];
    first.send(hello());
    await first.next("welcome");
    second.send(hello("node-a", "boot-2"));
    await second.next("welcome");
    expect((await first.next("refused")).code).toBe("superseded");
    expect(await first.closed()).toBe(1008);
    expect(intake.agents()).toBe(1);
    // The older one's end is not the node's end.
    expect(links).toEqual(["+node-a", "+node-a"]);
  });

  test.each<[Refusal, unknown, boolean]>([
    ["not-json", "{", false],
    ["bad-message", { type: "hello", v: 1 }, false],
    ["bad-message", { ...report(), at: "now" }, false],
    ["bad-version", { ...hello(), v: 2 }, true],
    ["no-hello", report(), true],
  ])("refuses %s and counts it", async (code, message, closes) => {
    const { url, refusals, reports } = await start();
    const agent = await connectAgent(url);
    agent.send(message);
    expect((await agent.next("refused")).code).toBe(code);
    expect(refusals).toEqual([code]);
    expect(reports).toEqual([]);
    if (closes) expect(await agent.closed()).toBe(1008);
    else {
      // The link goes on: what follows may be good.
      agent.send(hello());
      await agent.next("welcome");
    }
  });

  test("a report of another node or boot than the session's is refused", async () => {
    const { url, reports } = await start();
    for (const fields of [{ node: "node-b" }, { boot: "boot-9" }]) {
      const agent = await connectAgent(url);
      agent.send(hello());
      await agent.next("welcome");
      agent.send(report(fields));
      expect((await agent.next("refused")).code).toBe("wrong-node");
      await agent.closed();
    }
    expect(reports).toEqual([]);
  });

  test("a message over the limit ends the connection before it is read", async () => {
    const { url, refusals } = await start();
    const agent = await connectAgent(url);
    agent.send("x".repeat(LIMITS.message + 1));
    expect(await agent.closed()).toBe(1009);
    expect(refusals).toEqual(["too-large"]);
  });

  test("agents are bounded; a known node may always come back", async () => {
    const { url, intake } = await start({ maxAgents: 1 });
    const first = await connectAgent(url);
    first.send(hello("node-a"));
    await first.next("welcome");
    const second = await connectAgent(url);
    second.send(hello("node-b"));
    expect((await second.next("refused")).code).toBe("too-many-agents");
    expect(await second.closed()).toBe(1013);
    const back = await connectAgent(url);
    back.send(hello("node-a"));
    await back.next("welcome");
    expect(intake.agents()).toBe(1);
  });

  test("with a token set, only those who present it get in", async () => {
    const { url, refusals } = await start({ admit: (header) => (header === "Bearer secret" ? admitted() : refused("unauthorized", "no")) });
    const status = async (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, { headers });
        socket.on("unexpected-response", (request, response) => {
          resolve(response.statusCode);
          request.destroy();
        });
        socket.on("error", () => undefined);
      });
    expect(await status({})).toBe(401);
    expect(await status({ authorization: "Bearer wrong" })).toBe(401);
    expect(refusals).toEqual(["unauthorized", "unauthorized"]);
    const agent = await connectAgent(url, { authorization: "Bearer secret" });
    agent.send(hello());
    expect((await agent.next("welcome")).seq).toBe(-1);
  });

  test("a connection that never says hello ends", async () => {
    const { url } = await start({ helloWithin: 30 });
    const silent = await connectAgent(url);
    expect((await silent.next("refused")).code).toBe("no-hello");
    await silent.closed();
  });

  test("a connection that does not answer pings ends", async () => {
    const { url, links } = await start({ ping: 50 });
    const dead = await connectAgent(url);
    dead.send(hello());
    await dead.next("welcome");
    dead.socket.pause();
    await until("the dead link's end", () => (links.includes("-node-a") ? true : undefined));
    dead.socket.terminate();
    expect(links).toEqual(["+node-a", "-node-a"]);
  });
});
