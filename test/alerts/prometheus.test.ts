import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import { alertRules, recordingRules, RULES_FILE } from "../support/alert-rules.ts";
import { component, needs } from "../support/components.ts";
import { panelQueries } from "../support/dashboard-queries.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";

const binary = component("prometheus");

/** A scaler's page as it would read while half of the requests are late. */
const page = (requests: number): string =>
  [
    "# TYPE fulcrum_objective_seconds gauge",
    'fulcrum_objective_seconds{namespace="serving",policy="llama",objective="ttft",q="0.95"} 0.5',
    "# TYPE fulcrum_objective_requests_total counter",
    `fulcrum_objective_requests_total{namespace="serving",policy="llama",objective="ttft"} ${requests}`,
    "# TYPE fulcrum_objective_misses_total counter",
    `fulcrum_objective_misses_total{namespace="serving",policy="llama",objective="ttft"} ${requests / 2}`,
    "# TYPE fulcrum_agents_connected gauge",
    "fulcrum_agents_connected 0",
    "",
  ].join("\n");

describe.skipIf(binary === undefined)(`rules and panels in a real Prometheus ${needs("prometheus")}`, () => {
  let exporter: Server;
  let prometheus: Prometheus;
  let requests = 0;

  beforeAll(async () => {
    exporter = createServer((_, response) => response.setHeader("content-type", "text/plain; version=0.0.4").end(page((requests += 100))));
    await new Promise<void>((resolve) => exporter.listen(0, "127.0.0.1", resolve));
    const address = exporter.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    prometheus = await startPrometheus(binary ?? "", {
      scrape: [{ job: "scaler", url: `http://127.0.0.1:${port}/metrics` }],
      rules: [RULES_FILE],
    });
  });

  afterAll(async () => {
    await prometheus.stop();
    exporter.close();
  });

  const until = async <T>(what: () => Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await what();
      if (found !== undefined) return found;
      await sleep(200);
    }
  };

  it("loads and evaluates every rule without an error", async () => {
    const rules = await until(async () => {
      const all = await prometheus.rules();
      return all.every((rule) => rule.health !== "unknown") ? all : undefined;
    });
    expect(rules.map((rule) => rule.name)).toEqual(
      expect.arrayContaining([...alertRules().map((r) => r.alert), ...recordingRules().map((r) => r.record)]),
    );
    expect(rules.filter((rule) => rule.health !== "ok")).toEqual([]);
  });

  it("scrapes, records and raises what the page says", async () => {
    const [ratio] = await until(async () => {
      const rows = await prometheus.query("fulcrum:objective_miss_ratio:rate5m");
      return rows.length > 0 ? rows : undefined;
    });
    expect(ratio?.labels).toMatchObject({ namespace: "serving", policy: "llama", objective: "ttft" });
    expect(ratio?.value).toBeCloseTo(0.5, 6);
    const pending = await until(async () => {
      const rows = await prometheus.query("ALERTS");
      return rows.length >= 2 ? rows : undefined;
    });
    expect(pending.map((row) => row.labels["alertname"])).toEqual(
      expect.arrayContaining(["FulcrumTtftObjectiveBurn", "FulcrumAgentMissing"]),
    );
    expect(await prometheus.targets()).toEqual([{ job: "scaler", health: "up", lastError: "" }]);
  });

  it("runs every panel's expressions", async () => {
    const panels = panelQueries();
    expect(panels.length).toBeGreaterThan(30);
    for (const { title, expressions } of panels)
      for (const expression of expressions)
        await expect(prometheus.query(expression), `${title}: ${expression}`).resolves.toBeInstanceOf(Array);
  });

  it("is gone once stopped, and stopping twice does no harm", async () => {
    const second = await startPrometheus(binary ?? "", { scrape: [] });
    expect(second.pid).not.toBe(prometheus.pid);
    await second.stop();
    await second.stop();
    await expect(fetch(second.url)).rejects.toThrow("fetch failed");
  });

  it("passes on what Prometheus says about a bad expression", async () => {
    await expect(prometheus.query("sum(")).rejects.toThrow(/Prometheus refused .*parse error/);
  });
});
