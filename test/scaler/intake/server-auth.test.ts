import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { authorizer, openTokenFile, parseTokens } from "../../../scaler/intake/server-auth.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { runTestScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
function tokenFile(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-tokens-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "tokens"), text);
  return join(directory, "tokens");
}

const word = fc.stringMatching(/^[A-Za-z0-9._~+/=-]{1,60}$/);

describe("tokens of agents", () => {
  test("a header opens the link exactly when it is Bearer and one of the tokens", () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), word, (tokens, other) => {
        const authorize = authorizer(tokens);
        for (const token of tokens) {
          expect(authorize(`Bearer ${token}`)).toBe(true);
          expect(authorize(token)).toBe(false);
          expect(authorize(`Basic ${token}`)).toBe(false);
        }
        expect(authorize(`Bearer ${other}`)).toBe(tokens.includes(other));
        expect([authorize(undefined), authorize(""), authorize("Bearer ")]).toEqual([false, false, false]);
      }),
    );
  });

  test("no tokens set lets everybody in; none left in a list lets nobody in", () => {
    expect(authorizer(undefined)(undefined)).toBe(true);
    expect(authorizer([])("Bearer x")).toBe(false);
  });

  test("one per line, comments and empty lines aside", () => {
    expect(parseTokens("# the old one\nabc\r\n\n  def  \n")).toEqual({ ok: true, value: ["abc", "def"] });
  });

  test.each([
    ["nothing", "", "holds no token"],
    ["comments only", "# soon\n\n", "holds no token"],
    ["a sentence", "ok\nBearer abc", "token 2 has a space"],
    ["too many", "x\n".repeat(1001), "holds 1001 tokens"],
    ["too much", "x".repeat(300_000), "over 256 KiB"],
  ])("a file of %s is refused: it must not open the link to everybody", (_, text, why) => {
    const parsed = parseTokens(text);
    expect(!parsed.ok && parsed.error).toContain(why);
  });

  test("an edit is taken over, a bad edit keeps the last good tokens and is told once", async () => {
    const path = tokenFile("one\n");
    const problems: string[] = [];
    const opened = await openTokenFile({ path, also: ["always"], onProblem: (problem) => problems.push(problem) });
    if (!opened.ok) throw new Error(opened.error);
    cleanups.push(opened.value.close);
    const may = (): boolean[] => ["one", "two", "always"].map((token) => opened.value.authorize(`Bearer ${token}`));
    expect(may()).toEqual([true, false, true]);
    writeFileSync(path, "");
    await opened.value.refresh();
    await opened.value.refresh();
    expect(may()).toEqual([true, false, true]);
    expect(problems).toEqual([`${path}: holds no token; write one per line`]);
    writeFileSync(path, "two\n");
    await opened.value.refresh();
    expect(may()).toEqual([false, true, true]);
  });
});

describe("a scaler with agentTokens", () => {
  const start = async (agentTokens: string) => {
    const scaler = await runTestScaler({ settings: { agentTokens } });
    cleanups.push(async () => {
      await scaler.stop();
      await scaler.remove();
    });
    return scaler;
  };

  test("takes agents that present one, turns others away, and counts them; page and API stay readable", async () => {
    const scaler = await start(tokenFile("left\nright\n"));
    for (const [node, token] of [
      ["a", "left"],
      ["b", "right"],
    ] as const) {
      const agent = await connectAgent(`${scaler.ws}/agents`, { authorization: `Bearer ${token}` });
      cleanups.push(() => agent.close());
      agent.send(hello(node));
      expect(await agent.next("welcome")).toMatchObject({ seq: -1 });
    }
    await expect(connectAgent(`${scaler.ws}/agents`)).rejects.toThrow("401");
    await expect(connectAgent(`${scaler.ws}/agents`, { authorization: "Bearer wrong" })).rejects.toThrow("401");
    const page = await (await scaler.get("/metrics")).text();
    expect(page).toContain('fulcrum_reports_rejected_total{reason="unauthorized"} 2');
    expect((await scaler.get("/api/state")).status).toBe(200);
  });

  test("answers no method but GET and HEAD, on any path", async () => {
    const scaler = await start(tokenFile("t\n"));
    for (const path of ["/", "/api/state", "/api/decisions", "/metrics", "/agents", "/healthz"])
      for (const method of ["POST", "PUT", "PATCH", "DELETE"])
        expect((await fetch(`${scaler.url}${path}`, { method })).status, `${method} ${path}`).toBe(405);
  });

  test("does not start when the file cannot be used", async () => {
    await expect(runTestScaler({ settings: { agentTokens: "/nowhere/tokens" } })).rejects.toMatchObject({ code: "bad-settings" });
    await expect(runTestScaler({ settings: { agentTokens: tokenFile("#\n") } })).rejects.toMatchObject({ code: "bad-settings" });
  });

  test("follows its file by itself", async () => {
    const path = tokenFile("first\n");
    const opened = await openTokenFile({ path, also: [], onProblem: () => undefined, seconds: 0.02 });
    if (!opened.ok) throw new Error(opened.error);
    cleanups.push(opened.value.close);
    writeFileSync(path, "second\n");
    await until("the new token", () => (opened.value.authorize("Bearer second") ? true : undefined));
    expect(opened.value.authorize("Bearer first")).toBe(false);
  });
});
