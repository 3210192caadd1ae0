import { connect } from "node:net";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { component, needs } from "../../support/components.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

let scaler: RunningScaler;
beforeEach(async () => void (scaler = await runTestScaler()));
afterEach(async () => {
  await scaler.stop();
  await scaler.remove();
});

/** Sends bytes as they are and reads the answer to its end. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(scaler.url).port), "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}

describe("the scaler's HTTP door", () => {
  test("says when it is alive and ready", async () => {
    expect(await scaler.json("/healthz")).toEqual({ status: "ok" });
    expect(await scaler.json("/readyz")).toEqual({ status: "ready" });
  });

  test("answers what is not there, and what is not allowed, in JSON", async () => {
    const missing = await scaler.get("/api/nothing");
    expect([missing.status, await missing.json()]).toEqual([404, { error: "there is no /api/nothing here" }]);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const refused = await fetch(`${scaler.url}/api/state`, { method });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    }
    const head = await fetch(`${scaler.url}/api/state`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test.each(["limit=-1", "limit=x", "limit=1e3", "limit=99999999"])("refuses ?%s", async (query) => {
    const answer = await scaler.get(`/api/decisions?${query}`);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toContain("limit must be a whole number");
  });

  test("limits and filters lists", async () => {
    await until("two decisions", async () => ((await scaler.json<unknown[]>("/api/decisions")).length >= 2 ? true : undefined));
    expect(await scaler.json<unknown[]>("/api/decisions?limit=1")).toHaveLength(1);
    expect(await scaler.json<unknown[]>("/api/decisions?limit=0")).toEqual([]);
    expect(await scaler.json<unknown[]>("/api/history?policy=demo/test&limit=2")).toHaveLength(2);
    expect(await scaler.json<unknown[]>("/api/history?policy=demo/none")).toEqual([]);
    const at = (await scaler.json<{ decision: { at: number } }[]>("/api/decisions")).map((d) => d.decision.at);
    expect(at).toEqual([...at].sort((a, b) => b - a));
  });

  test("serves the page's files by plain name only", async () => {
    const without = await scaler.get("/");
    expect([without.status, (await without.text()).includes("npm run build")]).toEqual([503, true]);
    await mkdir(join(scaler.directory, "web"));
    await writeFile(join(scaler.directory, "web", "index.html"), "<!doctype html>page");
    await writeFile(join(scaler.directory, "web", "page.js"), "1");
    const page = await scaler.get("/");
    expect([page.status, page.headers.get("content-type"), await page.text()]).toEqual([
      200,
      "text/html; charset=utf-8",
      "<!doctype html>page",
    ]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect((await scaler.get("/page.js")).headers.get("content-type")).toContain("javascript");
    expect((await scaler.get("/page.css")).status).toBe(404);
  });

  test.each([
    "/../policy.yaml",
    "/..%2fpolicy.yaml",
    "/%2e%2e/policy.yaml",
    "/web/../../policy.yaml",
    "/.hidden.js",
    "/policy.yaml",
    "//etc/passwd",
    "/a\\..\\b.js",
  ])("leads nowhere else: %s", async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain("ScalingPolicy");
  });

  test("outlives garbage", async () => {
    expect(await raw("nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw("GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw("GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).toMatch(/^HTTP\/1\.1 404 /);
    expect((await scaler.get("/healthz")).status).toBe(200);
  });
});

const promtool = component("promtool");
describe.skipIf(promtool === undefined)(`the metrics page ${needs("promtool")}`, () => {
  test("is what Prometheus' own checker accepts", async () => {
    await until("a decision", async () => ((await scaler.json<unknown[]>("/api/decisions")).length > 0 ? true : undefined));
    const answer = await scaler.get("/metrics");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const page = await answer.text();
    expect(page).toContain("fulcrum_decisions_total{");
    const { stdout, stderr } = spawnSync(promtool ?? "", ["check", "metrics"], { input: page, encoding: "utf8" });
    expect(`${stdout}${stderr}`).toBe("");
  });
});
