import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:https";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { chromium } from "playwright-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createSessions } from "../../../scaler/serve/sessions.ts";
import type { PageMessage } from "../../../wire/page.ts";
import { CHROMIUM_FLAGS, chromiumPath } from "../../support/chromium.ts";
import { needs } from "../../support/components.ts";
import { makeKeyPair, openssl } from "../../support/key-pair.ts";
import { bundlePage } from "../../support/page-server.ts";
import { connectAgent } from "../support/agent-client.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const READER = "reader-token-0123456789";
const WRITER = "writer-token-0123456789";

let directory: string;
const cleanups: (() => Promise<unknown> | void)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fulcrum-reads-"));
  writeFileSync(join(directory, "page"), `${READER}\nanother:with-a-colon-0123\n`);
  writeFileSync(join(directory, "write"), `alice ${WRITER}\n`);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  await rm(directory, { recursive: true, force: true });
});

async function start(settings: NonNullable<Parameters<typeof runTestScaler>[0]>["settings"] = {}): Promise<RunningScaler> {
  const scaler = await runTestScaler({
    settings: { pageTokens: join(directory, "page"), writeTokens: join(directory, "write"), ...settings },
  });
  cleanups.push(async () => {
    await scaler.stop();
    await scaler.remove();
  });
  return scaler;
}
const basic = (password: string, user = "me"): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const get = (scaler: RunningScaler, path: string, headers: Record<string, string> = {}) => fetch(`${scaler.url}${path}`, { headers });

/** The first message of the live feed, or why there is none. */
function live(url: string, headers: Record<string, string>, ca?: Buffer): Promise<string> {
  const socket = new WebSocket(url, { headers, ...(ca === undefined ? {} : { ca }) });
  return new Promise<string>((resolve) => {
    socket.once("message", (data) => resolve((JSON.parse(String(data)) as PageMessage).type));
    socket.once("error", (error) => resolve(error.message));
  }).finally(() => socket.terminate());
}

const PROTECTED = [
  "/",
  "/page.js",
  "/api/state",
  "/api/decisions",
  "/api/history",
  "/api/totals",
  "/api/overrides",
  "/api/journal",
  "/nowhere",
];

describe("a scaler with pageTokens", () => {
  test("shows nothing to who has none, and says what to present; Prometheus, probes and agents have their own doors", async () => {
    const scaler = await start();
    for (const path of PROTECTED)
      for (const headers of [
        {},
        bearer("wrong"),
        bearer(READER.slice(1)),
        basic("wrong"),
        basic("", READER),
        { authorization: "Basic !" },
        { cookie: `fulcrum=${READER}` },
        { cookie: "fulcrum=" },
      ]) {
        const answer = await get(scaler, path, headers);
        expect([answer.status, await answer.text()], `${path} ${JSON.stringify(headers)}`).toEqual([
          401,
          expect.stringContaining("pageTokens") as string,
        ]);
        expect(answer.headers.get("www-authenticate")).toMatch(path === "/" ? /^Basic realm=/ : /^Bearer /);
        expect(answer.headers.get("set-cookie")).toBeNull();
      }
    for (const headers of [{}, bearer("wrong"), { cookie: "fulcrum=x" }]) expect(await live(`${scaler.ws}/live`, headers)).toContain("401");
    for (const path of ["/metrics", "/healthz", "/readyz"]) expect((await get(scaler, path)).status, path).toBe(200);
    const agent = await connectAgent(`${scaler.ws}/agents`);
    agent.close();
    // Those that presented nothing are no attempt: five authorizations a path, and one of the feed.
    const refused = PROTECTED.length * 5 + 1;
    expect(await (await get(scaler, "/metrics")).text()).toMatch(new RegExp(`^fulcrum_reads_refused_total ${refused}$`, "m"));
  });

  test("programs read with a token as bearer, the feed too; who may write may read; who may read may not write", async () => {
    const scaler = await start();
    for (const token of [READER, WRITER]) {
      expect((await get(scaler, "/api/state", bearer(token))).status).toBe(200);
      expect(await live(`${scaler.ws}/live`, bearer(token))).toBe("snapshot");
    }
    const pause = (token: string) =>
      fetch(`${scaler.url}/api/pause`, { method: "POST", headers: { ...bearer(token), "content-type": "application/json" } });
    expect([(await pause(READER)).status, (await pause(WRITER)).status]).toEqual([401, 200]);
  });

  test("a browser shows the token once, as the password at /, and is known by its cookie from then on", async () => {
    const scaler = await start();
    expect((await get(scaler, "/api/state", basic(READER))).headers.get("set-cookie")).toBeNull();
    for (const password of [READER, "another:with-a-colon-0123", WRITER]) {
      const page = await get(scaler, "/", basic(password));
      const [, secret] = /^fulcrum=([\w-]{43}); Path=\/; HttpOnly; SameSite=Strict$/.exec(page.headers.get("set-cookie") ?? "") ?? [];
      expect([page.status, page.headers.get("cache-control")]).toEqual([503, "private, no-cache"]); // the page is not built here
      const cookie = `other=1; fulcrum=${secret ?? ""}; more=2`;
      expect((await get(scaler, "/api/state", { cookie })).status).toBe(200);
      expect(await live(`${scaler.ws}/live`, { cookie })).toBe("snapshot");
      // No page of others reads the feed with it, and it writes nothing.
      expect(await live(`${scaler.ws}/live`, { cookie, origin: "http://evil.example" })).toContain("403");
      const headers = { cookie, "content-type": "application/json" };
      expect((await fetch(`${scaler.url}/api/pause`, { method: "POST", headers })).status).toBe(401);
      expect((await get(scaler, "/api/state", { cookie: cookie.replace(secret ?? "", `${(secret ?? "").slice(0, -1)}_`) })).status).toBe(
        401,
      );
    }
  });

  test("a file that cannot be used stops the start", async () => {
    for (const [text, why] of [
      ["", "holds no token"],
      ["short\n", "token 1 has less than 16 characters"],
    ] as const) {
      writeFileSync(join(directory, "bad"), text);
      const started = runTestScaler({ settings: { pageTokens: join(directory, "bad") } });
      await expect(started).rejects.toMatchObject({
        code: "bad-settings",
        message: expect.stringContaining(`pageTokens: ${join(directory, "bad")}: ${why}`) as string,
      });
    }
  });
});

describe("sessions", () => {
  test("each secret opens its own, for twelve hours from its last use, and no other text does", () => {
    let now = 0;
    const sessions = createSessions(() => now);
    const [one, two] = [sessions.open("Bearer a"), sessions.open("Bearer b")];
    fc.assert(fc.property(fc.string(), (text) => sessions.use(text) === undefined));
    now = 12 * 3600 - 1;
    expect(sessions.use(one)).toBe("Bearer a");
    now += 2;
    expect([sessions.use(one), sessions.use(two)]).toEqual(["Bearer a", undefined]);
  });

  test("beyond the limit the one that was idle longest ends", () => {
    const sessions = createSessions(() => 0, 3);
    const [a = "", b = "", c = ""] = ["a", "b", "c"].map((name) => sessions.open(name));
    sessions.use(a);
    const d = sessions.open("d");
    expect([a, b, c, d].map((secret) => sessions.use(secret))).toEqual(["a", undefined, "c", "d"]);
  });
});

describe.skipIf(openssl === undefined)(`over TLS ${needs("openssl")}`, () => {
  const executablePath = chromiumPath();
  const over = async (settings: Parameters<typeof start>[0] = {}) => {
    const pair = makeKeyPair();
    cleanups.push(pair.remove);
    const scaler = await start({ tlsCert: pair.cert, tlsKey: pair.key, ...settings });
    return { scaler, ca: readFileSync(pair.cert), url: scaler.url.replace("http:", "https:") };
  };

  test("the cookie is taken over TLS only, for this host", async () => {
    const { scaler, ca, url } = await over();
    const answer = await new Promise<{ status: number | undefined; headers: IncomingHttpHeaders }>((resolve, reject) => {
      const asked = request(`${url}/`, { ca, headers: basic(READER) }, (response) => {
        response.resume();
        resolve({ status: response.statusCode, headers: response.headers });
      });
      asked.on("error", reject).end();
    });
    const [set = ""] = answer.headers["set-cookie"] ?? [];
    expect(set).toMatch(/^__Host-fulcrum=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    const cookie = set.slice(0, set.indexOf(";"));
    expect(await live(scaler.ws.replace("ws:", "wss:") + "/live", { cookie }, ca)).toBe("snapshot");
    expect(await live(scaler.ws.replace("ws:", "wss:") + "/live", { cookie: cookie.replace("__Host-", "") }, ca)).toContain("401");
  });

  test.skipIf(executablePath === undefined)(
    `the page in Chromium: nothing without the password, live with it, over a cookie that scripts do not see ${needs("chromium")}`,
    async () => {
      const bundle = await bundlePage();
      cleanups.push(bundle.remove);
      const { url } = await over({ webRoot: bundle.dir });
      const browser = await chromium.launch({ executablePath: executablePath ?? "", args: [...CHROMIUM_FLAGS] });
      cleanups.push(() => browser.close());
      const stranger = await browser.newContext({ ignoreHTTPSErrors: true, httpCredentials: { username: "me", password: "wrong" } });
      expect((await (await stranger.newPage()).goto(`${url}/`))?.status()).toBe(401);

      const context = await browser.newContext({ ignoreHTTPSErrors: true, httpCredentials: { username: "me", password: READER } });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(`${url}/`);
      await page.locator(".badge.mode-enforce").waitFor();
      expect(await page.evaluate("document.cookie")).toBe("");
      const [cookie] = await context.cookies();
      expect(cookie).toMatchObject({ name: "__Host-fulcrum", httpOnly: true, secure: true, sameSite: "Strict" });
      expect(complaints).toEqual([]);
      // A token that is taken out of the file ends what was opened with it.
      const known = async (): Promise<number> =>
        (await context.request.get(`${url}/api/state`, { headers: { authorization: "none" } })).status();
      expect(await known()).toBe(200);
      writeFileSync(join(directory, "page"), "a-new-token-0123456789\n");
      await until("the end of the session", async () => ((await known()) === 401 ? true : undefined));
    },
  );
});
