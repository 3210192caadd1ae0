import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CHROMIUM_FLAGS, chromiumPath } from "../support/chromium.ts";
import { messagesBetween, pageScript, snapshotAt } from "../support/page-feed.ts";
import { bundlePage, PageServer } from "../support/page-server.ts";
import { nameless } from "../support/page-names.ts";

const executablePath = chromiumPath();
const why = executablePath === undefined ? " (SKIPPED: no Chromium found; set FULCRUM_CHROMIUM)" : "";
const START = 1_750_000_000;
const script = pageScript(START);

describe.skipIf(executablePath === undefined)(`the live page in Chromium${why}`, () => {
  let bundle: Awaited<ReturnType<typeof bundlePage>>;
  let profile: string;
  let browser: BrowserContext;
  let server: PageServer;
  let port: number;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    bundle = await bundlePage();
    profile = await mkdtemp(join(tmpdir(), "fulcrum-chromium-"));
    const path = executablePath ?? "";
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: path,
      args: [...CHROMIUM_FLAGS],
      timezoneId: "UTC",
      locale: "en-GB",
    });
  });
  afterAll(async () => {
    await browser?.close();
    await bundle?.remove();
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  });

  beforeEach(async () => {
    server = await serve(60);
    port = server.port;
    complaints = [];
    page = await browser.newPage();
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  afterEach(async () => {
    await page.close();
    await server.close();
  });

  it("shows KV transfers by link, the slow one first and named; what is absent is no zero", async () => {
    await page.goto(`http://127.0.0.1:${port}/`);
    const panel = page.getByRole("region", { name: "KV path" });
    await panel.waitFor();
    const rows = await panel.locator("tbody tr").allInnerTexts();
    expect(rows.map((row) => row.replaceAll(/\s+/g, " ").trim())).toEqual([
      "node-a → node-d (slow) 310 transfers 700 MB/s 2.20 GB/s 61.0 ms 0 failures 3.4 × slower",
      "node-a → node-b 420 transfers 950 MB/s 7.50 GB/s 18.0 ms 0 failures 1.0 × slower",
      "node-a → node-c 402 transfers 910 MB/s 7.60 GB/s 18.0 ms 0 failures 1.0 × faster",
      expect.stringMatching(/^\? → node-b 0 transfers .*— ?absent.* 2 failures/),
    ]);
    expect(await panel.getByRole("listitem").allInnerTexts()).toEqual([
      expect.stringMatching(/^Slow link: node-a → node-d, 3\.4 times slower than .* for 1\smin 35\ss$/),
    ]);
  });

  it("says who leads, and that another one does when that changes", async () => {
    const leader = { standing: "leading", identity: "fulcrum-scaler-a_1", holder: "fulcrum-scaler-a_1" } as const;
    const snapshot = snapshotAt(script, START + 60);
    if (snapshot.type !== "snapshot") throw new Error("no snapshot");
    const { state } = snapshot;
    server.onConnect = (send) => {
      send({ ...snapshot, state: { ...state, leader } });
      setTimeout(
        () => send({ type: "state", state: { ...state, leader: { ...leader, standing: "standby", holder: "fulcrum-scaler-b_2" } } }),
        500,
      );
    };
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.getByText("this scaler leads (fulcrum-scaler-a_1)").waitFor();
    await page.getByText("this scaler stands by, fulcrum-scaler-b_2 leads").waitFor();
    expect(complaints).toEqual([]);
  });

  it("says who has paused the policy, why and until when, and no more once it is resumed", async () => {
    const snapshot = snapshotAt(script, START + 60);
    if (snapshot.type !== "snapshot") throw new Error("no snapshot");
    const { state } = snapshot;
    const paused = {
      mode: "paused",
      override: { mode: "paused", by: "alice", at: START, until: START + 1800, reason: "node pool <b>" },
    } as const;
    let resume = (): void => undefined;
    server.onConnect = (send) => {
      send({ ...snapshot, state: { ...state, policies: state.policies.map((p) => ({ ...p, ...paused })) } });
      resume = () => send({ type: "state", state });
    };
    await page.goto(`http://127.0.0.1:${port}/`);
    const said = page.getByText("Paused: the pools are left as they are, by alice since 15:06:40 until 15:36:40: node pool <b>");
    await said.waitFor();
    await page.locator(".badge.mode-paused").waitFor();
    resume();
    await said.waitFor({ state: "detached" });
    expect(await page.locator(".override").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  async function serve(seconds: number, at = 0): Promise<PageServer> {
    const next = new PageServer(bundle.dir);
    next.onConnect = (send) => send(snapshotAt(script, START + seconds));
    await next.listen(at);
    return next;
  }
  async function open(width = 1440, height = 900): Promise<void> {
    await page.setViewportSize({ width, height });
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.getByRole("heading", { name: "TTFT p95" }).waitFor();
  }
  /** Live is a state that passes: the script goes on, a second each half second, until the page has said it. */
  async function becomesLive(from: number): Promise<void> {
    let second = from;
    const beat = setInterval(() => play(second, ++second), 500);
    try {
      await page.getByRole("status").filter({ hasText: "live" }).waitFor();
    } finally {
      clearInterval(beat);
    }
  }
  const tile = (name: string) => page.locator(".tile", { has: page.getByRole("heading", { name, exact: true }) });
  const play = (after: number, until: number): void => {
    for (const message of messagesBetween(script, START + after, START + until)) server.say(message);
  };
  const decisions = () => page.getByRole("region", { name: "Decisions, newest first" });

  it("loads with everything named, a chart for each question, and nothing from elsewhere", async () => {
    await open();
    expect(await page.title()).toBe("llama-8b · Fulcrum");
    expect(await page.locator("header, main, footer").count()).toBe(3);
    await becomesLive(60);
    const charts = page.locator("figure.chart");
    expect(await charts.count()).toBe(16);
    for (const chart of await charts.all()) {
      expect(await chart.locator("canvas").count()).toBe(1);
      expect(await chart.locator(".legend li").count()).toBeGreaterThan(0);
    }
    expect(await nameless(page)).toEqual([]);
    expect(server.missing).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("updates live: numbers, replicas and the curve", async () => {
    await open();
    const before = await tile("TTFT p95").textContent();
    const picture = await page.locator("canvas").first().screenshot();
    play(60, 79);
    await page.getByText(`data ${clockAt(79)}`).waitFor();
    await expect.poll(() => tile("TTFT p95").textContent()).not.toBe(before);
    await expect.poll(() => tile("TTFT p95").textContent()).toContain("missed");
    await page
      .getByRole("img", { name: /Replicas over time.*starting 3 replicas/ })
      .first()
      .waitFor();
    expect((await page.locator("canvas").first().screenshot()).equals(picture)).toBe(false);
    expect(complaints).toEqual([]);
  });

  it("shows a decision with its change, its reason and the figures behind it", async () => {
    await open();
    play(60, 76);
    const item = decisions().getByRole("listitem").filter({ hasText: "prefill-short" }).first();
    await item.waitFor();
    const text = await item.textContent();
    expect(text).toContain("P 2→5");
    expect(text).toContain("applied");
    expect(text).toMatch(/tok\/s of prefill demand needs 5 replicas/);
    await item.getByText("Figures").click();
    await item.getByText("demand", { exact: true }).waitFor();
    expect(await item.locator("dl.figures").first().textContent()).toMatch(/needed5.replicas/);
    await expect.poll(() => tile("Last change").textContent()).toContain("P 2→5");
    // An open one stays open while newer ones arrive above it.
    play(76, 90);
    await decisions().getByText("failed").waitFor();
    expect(await item.locator("details").getAttribute("open")).not.toBeNull();
    expect(await page.getByText("fleet control: POST /scale answered 503").count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  it("lists changes only, or all, by keyboard", async () => {
    await open();
    await page.getByRole("radio", { name: /^Changes/ }).focus();
    const changes = await decisions().locator("li.decision").count();
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("radio", { name: /^All/ }).isChecked()).toBe(true);
    expect(await decisions().locator("li.decision").count()).toBeGreaterThan(changes);
    expect(await decisions().locator("li.decision").count()).toBe(12);
  });

  it("shows an absent value as a dash that says so, never as zero", async () => {
    await server.close();
    server = await serve(5, port);
    await open();
    const absent = tile("KV transfer").locator(".absent").first();
    expect(await absent.textContent()).toBe("—absent");
    expect(await absent.getAttribute("title")).toContain("absent");
    expect(await tile("KV transfer").textContent()).not.toContain("0");
    await page
      .getByRole("img", { name: /Tokens per second.*velocity × ready absent/ })
      .first()
      .waitFor();
    await page.getByText("absent in this range").first().waitFor();
  });

  it("survives a restart of the scaler: says so, reconnects, and takes the new history", async () => {
    await open();
    await server.close();
    await page.getByRole("status").filter({ hasText: "reconnecting" }).waitFor();
    server = await serve(200, port);
    await page.getByText(`data ${clockAt(200)}`).waitFor();
    await becomesLive(200);
    expect(await page.getByRole("radio", { name: /^All 4/ }).count()).toBe(1);
    // Refused connections are the browser's own words about the outage; anything else is ours.
    expect(complaints.filter((c) => !c.includes("WebSocket connection to"))).toEqual([]);
  });

  it("says stale when frames stop although the connection stands", async () => {
    await open();
    await page.getByRole("status").filter({ hasText: "stale" }).waitFor();
    expect(await page.locator("main.is-stale").count()).toBe(1);
    await becomesLive(60);
    await page.locator("main:not(.is-stale)").waitFor();
  });

  it("goes on after a text it cannot read, and counts it", async () => {
    await open();
    server.sayText("{not json");
    server.sayText('"text"');
    await page.getByText("2 messages could not be read").waitFor();
    play(60, 61);
    await page.getByText(`data ${clockAt(61)}`).waitFor();
    expect(complaints).toEqual([]);
  });

  it("offers a choice when there are several policies", async () => {
    const snapshot = snapshotAt(script, START + 60);
    if (snapshot.type !== "snapshot") throw new Error("the script starts with a snapshot");
    const [first] = snapshot.state.policies;
    if (first === undefined) throw new Error("the script has a policy");
    const second = { ...first, name: "mixtral", mode: "observe" as const };
    server.onConnect = (send) => send({ ...snapshot, state: { ...snapshot.state, policies: [first, second] } });
    await open();
    await page.getByLabel("Policy").selectOption({ label: "mixtral" });
    await page.getByText("No frame of this policy yet").waitFor();
    expect(await page.locator(".badge.mode-observe").textContent()).toBe("observe");
    expect(await page.getByText("No decision yet.").count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  it("reads a chart by keyboard", async () => {
    await open();
    await page.getByRole("img", { name: /Time to first token/ }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    const shown = page.locator("figure.chart .chart-at");
    await expect.poll(() => shown.first().textContent()).toBe(clockAt(59));
    expect(new Set(await shown.allTextContents())).toEqual(new Set([clockAt(59)]));
    await page.keyboard.press("Escape");
    await expect.poll(() => shown.count()).toBe(0);
  });

  it.each([
    [390, "light"],
    [390, "dark"],
    [1440, "light"],
    [1440, "dark"],
  ] as const)("fits %i px in the %s theme, with readable contrast", async (width, colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await open(width, 844);
    play(60, 90);
    await decisions().getByText("failed").waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow).toBe(0);
    expect(await page.evaluate(lowContrast)).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

const clockAt = (second: number): string => new Date((START + second) * 1000).toISOString().slice(11, 19);

/** Texts below WCAG AA (4.5:1) against the background behind them. Runs in the page. */
function lowContrast(): string[] {
  const parse = (value: string): number[] => (value.match(/[\d.]+/g) ?? []).map(Number);
  const channel = (v: number): number => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r = 0, g = 0, b = 0]: number[]): number => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (start: Element): number[] => {
    for (let e: Element | null = start; e !== null; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || (color[3] ?? 0) === 1) return color;
    }
    return [255, 255, 255];
  };
  const bad = new Set<string>();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent?.trim() !== "");
    if (!own || element.closest(".unseen, noscript, script") !== null) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.add(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...bad];
}
