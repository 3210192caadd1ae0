import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, formatShare } from "../../../scaler/policy/durations.ts";
import { policyJsonSchema } from "../../../scaler/policy/json-schema.ts";
import { parsePolicies } from "../../../scaler/policy/load.ts";
import { parseDuration } from "../../../core/duration.ts";
import { showPolicy } from "../../../scaler/policy/show.ts";
import { policyOf } from "../support/policy.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("show", () => {
  test("prints durations with units, shares as percentages, and every default", () => {
    const text = showPolicy(policyOf());
    for (const line of [
      "target: 500ms",
      "interval: 100ms",
      "leadTime: 90s",
      "stabilization: 5m",
      "step: 25%",
      "minCoverage: 0.7",
      "roleSwitch: false",
    ]) {
      expect(text).toContain(line);
    }
  });

  const examples = readdirSync(`${root}/policies`).filter((name) => name.endsWith(".yaml"));
  test("there are examples", () => expect(examples.length).toBeGreaterThanOrEqual(4));

  test.each(examples)("policies/%s is valid and survives being shown and read again", (name) => {
    const first = parsePolicies(readFileSync(`${root}/policies/${name}`, "utf8"), name);
    if (!first.ok) expect.fail(first.error.map((p) => p.message).join("\n"));
    for (const policy of first.value) expect(policyOf(showPolicy(policy))).toEqual(policy);
  });

  test("a duration of any size reads back as the same number of seconds", () => {
    const seconds = fc.oneof(
      fc.nat(1e7),
      fc.double({ min: 0, max: 1e5, noNaN: true }),
      fc.nat(1e6).map((x) => x / 1000),
    );
    fc.assert(
      fc.property(seconds, (value) => {
        const text = formatDuration(value);
        expect(typeof text === "number" ? text : parseDuration(text)).toBe(value);
      }),
    );
    expect([0, 0.5, 1, 59, 60, 90, 300, 3600, 86400].map(formatDuration)).toEqual([
      "0s",
      "500ms",
      "1s",
      "59s",
      "1m",
      "90s",
      "5m",
      "1h",
      "1d",
    ]);
    expect([0.25, 1, 0.07, 1 / 3].map(formatShare)).toEqual(["25%", "100%", "7%", 1 / 3]);
  });
});

describe("JSON Schema", () => {
  test("schema.json is what the code says; rewrite it with `fulcrum policy schema > scaler/policy/schema.json`", () => {
    expect(JSON.parse(readFileSync(`${root}/scaler/policy/schema.json`, "utf8"))).toEqual(JSON.parse(JSON.stringify(policyJsonSchema())));
  });

  test("describes what people write, not what the code makes of it", () => {
    const text = JSON.stringify(policyJsonSchema());
    expect(text).toContain('"additionalProperties":false');
    expect(text).toContain("2020-12");
  });
});
