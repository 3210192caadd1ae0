import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CATALOG, type MetricSpec } from "../../core/catalog.ts";
import { alertRules, recordingRules, RULES_FILE } from "../support/alert-rules.ts";
import { component, needs } from "../support/components.ts";
import { panelQueries } from "../support/dashboard-queries.ts";
import { startDemo, until, type RunningDemo } from "../support/demo.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { metricsOf } from "../support/promql-catalog.ts";

const prometheusBinary = component("prometheus");
const promtool = component("promtool");

/** promtool's verdict on a page: "" when it accepts it. */
function lint(page: string): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(promtool ?? "", ["check", "metrics"], (error, _out, stderr) => resolve(error === null ? "" : stderr));
    child.stdin?.end(page);
  });
}

describe.skipIf(prometheusBinary === undefined || promtool === undefined)(
  `a real Prometheus on the running demo ${needs("prometheus", "promtool")}`,
  () => {
    let demo: RunningDemo;
    let prometheus: Prometheus;
    const pages = (): { job: string; url: string }[] => [
      { job: "scaler", url: `${demo.page}/metrics` },
      { job: "fleet", url: `${demo.fleet}/metrics` },
      ...demo.agents.map((url, i) => ({ job: `agent-${i}`, url: `${url}/metrics` })),
    ];

    beforeAll(async () => {
      demo = await startDemo(["--duration", "60s"]);
      await until("the scaler to decide with both agents", 60, async () => {
        const [first] = await demo.get<unknown[]>(`${demo.page}/api/decisions?limit=1`);
        const { agents } = await demo.get<{ agents: { connected: boolean }[] }>(`${demo.page}/api/state`);
        return first !== undefined && agents.filter((a) => a.connected).length === 2 ? true : undefined;
      });
      prometheus = await startPrometheus(prometheusBinary ?? "", {
        scrape: pages(),
        rules: [RULES_FILE],
        scrapeInterval: "1s",
        evaluationInterval: "1s",
      });
      await sleep(20_000);
    });
    afterAll(async () => {
      await prometheus.stop();
      demo.interrupt();
      await demo.ended;
    });

    it("scrapes agents, scaler and fleet", async () => {
      const targets = await prometheus.targets();
      expect(targets.map((t) => [t.job, t.health, t.lastError])).toEqual(targets.map((t) => [t.job, "up", ""]));
      expect(targets).toHaveLength(4);
    });

    it("has data for every panel of the dashboard", async () => {
      const empty: string[] = [];
      for (const { title, expressions } of panelQueries()) {
        let samples = 0;
        for (const e of expressions) samples += (await prometheus.query(e)).length;
        if (samples === 0) empty.push(title);
      }
      // Nothing to show on two nodes without RDMA: their series are tested in test/agent/nic, test/scaler/intake and by promtool.
      // And nobody sets a policy aside here: test/scaler/serve has that.
      const unseen = new Set(["Slow links", "RDMA congestion and losses", "KV path problems", "Set aside by an operator, for"]);
      expect(empty.filter((title) => !unseen.has(title))).toEqual([]);
    });

    it("evaluates every rule, and each metric that a rule reads has series", async () => {
      const health = await prometheus.rules();
      expect(health.filter((r) => r.health !== "ok")).toEqual([]);
      expect(health).toHaveLength(alertRules().length + recordingRules().length);
      const names = new Set([...alertRules(), ...recordingRules()].flatMap((r) => metricsOf(r.expr)));
      const missing: string[] = [];
      // A histogram has no series under its own name.
      for (const name of names) if ((await prometheus.query(`{__name__=~"${name}(_count)?"}`)).length === 0) missing.push(name);
      // A problem of the KV path is claimed only where there is an RDMA port to judge it by, an override only while there is one.
      const rare = new Set(["fulcrum_kv_path_problem", "fulcrum_override_since_seconds"]);
      expect(missing.filter((name) => !rare.has(name))).toEqual([]);
    });

    it("shows pages that promtool accepts, of catalog names only, each exporter all of its own", async () => {
      for (const { job, url } of pages()) {
        const page = await demo.text(url);
        expect(await lint(page), job).toBe("");
        const shown = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1] ?? ""));
        const exporter = job.startsWith("agent") ? "agent" : job === "scaler" ? "scaler" : "fleet";
        const own: readonly MetricSpec[] = CATALOG.filter((m: MetricSpec) => m.by.includes(exporter));
        expect([...shown].filter((name) => !own.some((m) => m.name === name))).toEqual([]);
        expect(own.filter((m) => !shown.has(m.name)).map((m) => m.name)).toEqual([]);
      }
    });
  },
);
