import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PageDecision } from "../../wire/page.ts";
import { CHROMIUM_FLAGS, chromiumPath } from "../support/chromium.ts";
import { startDemo, until, type RunningDemo } from "../support/demo.ts";

const executablePath = chromiumPath();
const why = executablePath === undefined ? " (SKIPPED: no Chromium found; set FULCRUM_CHROMIUM)" : "";

describe.skipIf(executablePath === undefined)(`the live page of the running demo in Chromium${why}`, () => {
  let demo: RunningDemo;
  let profile: string;
  let browser: BrowserContext;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    demo = await startDemo(["--duration", "60s"]);
    await until("a decision on evidence", 60, async () => {
      const [last] = await demo.get<PageDecision[]>(`${demo.page}/api/decisions?limit=1`);
      return last !== undefined && last.outcome !== "held" ? true : undefined;
    });
    profile = await mkdtemp(join(tmpdir(), "fulcrum-chromium-"));
    browser = await chromium.launchPersistentContext(profile, { executablePath: executablePath ?? "", args: [...CHROMIUM_FLAGS] });
    page = await browser.newPage();
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("response", (r) => r.status() >= 400 && complaints.push(`${r.status()} ${r.url()}`));
    await page.goto(`${demo.page}/`);
  });
  afterAll(async () => {
    await browser?.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    demo.interrupt();
    await demo.ended;
  });

  it("shows the policy, both pools and measured latencies", async () => {
    await page
      .getByRole("heading", { name: /prefill/i })
      .first()
      .waitFor();
    await page
      .getByRole("heading", { name: /decode/i })
      .first()
      .waitFor();
    const text = await page.locator("body").innerText();
    expect(text).toContain("demo");
    expect(text).toMatch(/\d(\.\d+)?\s?(ms|s)\b/);
    expect(text).toMatch(/GB\/s/);
  });

  it("updates by itself", async () => {
    const before = await page.locator("body").innerText();
    await page.waitForFunction((old) => document.body.innerText !== old, before, { timeout: 15_000 });
    expect(await page.locator("body").innerText()).not.toBe(before);
  });

  it("shows the newest decision with its reason", async () => {
    const reason = await until("a decision whose reason the page shows", 30, async () => {
      const decisions = await demo.get<PageDecision[]>(`${demo.page}/api/decisions?limit=5`);
      const codes = decisions.flatMap((d) => d.decision.reasons.map((r) => r.code));
      const text = await page.locator("body").innerText();
      return codes.find((code) => text.includes(code));
    });
    expect(reason).toMatch(/^[a-z-]+$/);
  });

  it("shows KV transfers between the nodes, with bytes from the engines' own counters", async () => {
    const panel = page.getByRole("region", { name: "KV path" });
    await panel
      .getByText(/node-a → node-[ab]/)
      .first()
      .waitFor({ timeout: 30_000 });
    await until("bytes of a link", 30, async () => (/node-[ab]\s+\d+\s.*[MG]B\/s/.test(await panel.innerText()) ? true : undefined));
  });

  it("complains of nothing on the console", () => {
    expect(complaints).toEqual([]);
  });
});
