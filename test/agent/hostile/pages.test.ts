import { afterEach, expect, it } from "vitest";
import { createEnginePage } from "../../../core/engines/page.ts";
import { createSeriesReader } from "../../../core/exposition/series-reader.ts";
import { engineTarget, total } from "../support/agent.ts";
import { servePage, vllmPage } from "../support/pages.ts";
import { reportWhere, startScaler } from "../support/scaler.ts";
import { until } from "../support/until.ts";
import { spawnAgent, valueOf } from "./child.ts";
import { HOSTILE_PAGES } from "./pages.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

it("an agent among hostile pages says what is wrong with each, counts what it left out, and reads the others exactly", async () => {
  const scaler = await startScaler();
  open.push({ close: () => scaler.stop() });
  const healthy = await servePage(vllmPage({ tokens: 1000 }));
  open.push(healthy);
  const bad = await Promise.all(
    HOSTILE_PAGES.map(async (page, i) => {
      const server = await servePage("");
      server.show(page.answer);
      open.push(server);
      return engineTarget(server.url, { pod: `hostile-${i}`, pool: "hostile" });
    }),
  );
  const reset = await servePage("");
  // Every other scrape is of an engine that has just restarted.
  let looks = 0;
  reset.show((_, response) => response.end(vllmPage({ tokens: ++looks % 2 === 0 ? 5 : 1000 })));
  open.push(reset);
  const targets = {
    node: "node-a",
    engines: [engineTarget(healthy.url), engineTarget(reset.url, { pod: "reset-0", pool: "reset" }), ...bad],
    gpus: [],
  };
  const agent = await spawnAgent(128, targets, ["--scaler-url", scaler.url, "--interval", "1s", "--scrape-timeout", "700ms"]);
  open.push({ close: () => agent.stop() });

  for (const [i, { name, up, says }] of HOSTILE_PAGES.entries()) {
    const source = `ns/hostile-${i}`;
    await reportWhere(scaler, `${name} to be reported`, (r) => {
      const health = r.sources.find((s) => s.target === source);
      return health?.up === up && says.test(health.error ?? "");
    });
  }
  await reportWhere(scaler, "the first look", (r) => r.pools.find((p) => p.pool === "decode")?.counters.generatedTokens === 0);
  healthy.show(vllmPage({ tokens: 1077 }));
  await until("77 tokens of the healthy engine", () => total(scaler.folded, "decode", "generatedTokens") === 77);

  // Twelve more rounds of everything: what is kept per round would show.
  const seen = scaler.folded.length;
  await until("twelve more reports", () => scaler.folded.length >= seen + 12, 40_000);
  expect(agent.exit()).toBeUndefined();
  expect(agent.bugs()).toEqual([]);
  expect(agent.rssMiB()).toBeLessThan(400);
  expect(total(scaler.folded, "decode", "generatedTokens")).toBe(77);
  const resets = scaler.folded.flatMap((r) => r.pools.filter((p) => p.pool === "reset")).reduce((sum, p) => sum + p.resets, 0);
  expect(resets).toBeGreaterThan(2);
  const page = await agent.metrics();
  expect(valueOf(page, 'fulcrum_scrape_failures_total{source="engine"}')).toBeGreaterThan(8);
  expect(valueOf(page, 'fulcrum_scrape_unreadable_total{source="engine"}')).toBeGreaterThan(8);
});

it("a page of a million series is read up to the limit, said so, and not remembered beyond it", () => {
  const lines = Array.from({ length: 1_000_000 }, (_, i) => `a{i="${i}"} 1`).join("\n");
  let stored = 0;
  const limits = { size: 64 * 1024 * 1024, samples: 100_000, labels: 128 };
  const reader = createSeriesReader<true>({ resolve: () => true, store: () => stored++, limits });
  const read = reader.read(lines);
  expect([stored, reader.cached()]).toEqual([100_000, 100_000]);
  expect(read.problems.at(-1)).toMatchObject({ code: "too-many-samples" });
  // The next page is a small one again: what is no longer seen is let go.
  reader.read("b 1\n");
  expect(reader.cached()).toBeLessThan(1100);
  expect(createEnginePage("vllm", "decode").read(lines)).toMatchObject({ counters: {}, problemCount: 1 });
});
