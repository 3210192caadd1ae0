import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FAULT_XIDS } from "../../core/engines/xid.ts";
import { alertRules, recordingRules, ruleTests, RULES_FILE, RULE_TESTS_FILE } from "../support/alert-rules.ts";
import { component, needs } from "../support/components.ts";
import { catalogProblems } from "../support/promql-catalog.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const alerts = alertRules();
const recorded = new Set(recordingRules().map((rule) => rule.record));
const promtool = component("promtool");

describe("alert rules", () => {
  it("are the twelve of the runbooks, each once", () => {
    const names = alerts.map((rule) => rule.alert).toSorted();
    expect(names).toEqual([
      "FulcrumAgentMissing",
      "FulcrumDecodeSaturated",
      "FulcrumGpuFault",
      "FulcrumItlObjectiveBurn",
      "FulcrumKvPathDegraded",
      "FulcrumKvTransferFailures",
      "FulcrumNoLeader",
      "FulcrumPausedLong",
      "FulcrumPrefillSaturated",
      "FulcrumScalerHolding",
      "FulcrumScalersCutOff",
      "FulcrumTtftObjectiveBurn",
    ]);
    expect(readdirSync(`${root}docs/runbooks`).toSorted()).toEqual(names.map((name) => `${name}.md`));
  });

  it.each(alerts.map((rule) => [rule.alert, rule] as const))("%s says how bad it is, what it saw and where to read on", (name, rule) => {
    expect(rule.labels["severity"]).toMatch(/critical|warning/);
    expect(rule.for).toMatch(/^\d+[sm]$/);
    expect(rule.annotations["summary"]).toMatch(/\{\{ *(if )?\$labels\./);
    expect(rule.annotations["description"]).toContain("$value");
    expect(rule.annotations["runbook_url"]).toBe(`docs/runbooks/${name}.md`);
  });

  it.each([
    ...alerts.map((rule) => [rule.alert, rule.expr] as const),
    ...recordingRules().map((rule) => [rule.record, rule.expr] as const),
  ])("%s reads only metrics and labels of the catalog", (_, expr) => {
    expect(catalogProblems(expr, recorded)).toEqual([]);
  });

  it("take every fault XID that the agent counts from zero for a fault", () => {
    const excluded = /xid!~"([^"]+)"/.exec(alerts.find((rule) => rule.alert === "FulcrumGpuFault")?.expr ?? "")?.[1];
    expect(excluded).toBe("13|31|43|45");
    expect(FAULT_XIDS.filter((code) => new RegExp(`^(?:${excluded})$`).test(String(code)))).toEqual([]);
  });

  it("each have a case that fires and one that stays silent", () => {
    const cases = ruleTests().tests.flatMap((test) => test.alert_rule_test ?? []);
    for (const { alert } of alerts) {
      const own = cases.filter((one) => one.alertname === alert);
      expect(
        own.some((one) => (one.exp_alerts ?? []).length > 0),
        `${alert} fires`,
      ).toBe(true);
      expect(
        own.some((one) => (one.exp_alerts ?? []).length === 0),
        `${alert} stays silent`,
      ).toBe(true);
    }
    const known = new Set(alerts.map((rule) => rule.alert));
    expect(cases.filter((one) => !known.has(one.alertname))).toEqual([]);
  });
});

describe("runbooks", () => {
  it.each(alerts.map((rule) => rule.alert))("%s: meaning, impact, diagnosis with queries of known metrics, mitigation", (name) => {
    const path = `${root}docs/runbooks/${name}.md`;
    expect(existsSync(path)).toBe(true);
    const text = readFileSync(path, "utf8");
    expect(text.startsWith(`# ${name}\n`)).toBe(true);
    expect([...text.matchAll(/^## (.+)$/gm)].map((m) => m[1])).toEqual(["Meaning", "Impact", "Diagnosis", "Mitigation"]);
    const queries = [...text.matchAll(/^```promql\n([\s\S]*?)^```$/gm)].flatMap((m) => (m[1] ?? "").split("\n\n"));
    expect(queries.length).toBeGreaterThan(0);
    for (const query of queries) {
      const expression = query
        .split("\n")
        .filter((line) => !line.startsWith("#"))
        .join("\n")
        .trim();
      expect(catalogProblems(expression, recorded)).toEqual([]);
    }
  });
});

describe.skipIf(promtool === undefined)(`promtool ${needs("promtool")}`, () => {
  const run = (...args: string[]): string => execFileSync(promtool ?? "", args, { encoding: "utf8", stdio: "pipe" });

  it("accepts the rules", () => {
    expect(run("check", "rules", RULES_FILE)).toContain(`${alerts.length + recorded.size} rules found`);
  });

  it("sees every alert fire and stay silent", () => {
    expect(run("test", "rules", RULE_TESTS_FILE)).toContain("SUCCESS");
  });
});
