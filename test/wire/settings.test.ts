import { describe, expect, it } from "vitest";
import { z } from "zod";
import { durationSetting } from "../../wire/duration.ts";
import { envName, flagName, resolveSettings } from "../../wire/settings.ts";

const schema = z.object({
  node: z.string().min(1),
  port: z.coerce.number().int().min(0).max(65_535).default(9464),
  scrapeInterval: durationSetting.default(1),
  token: z.string().min(8).optional(),
});

describe("settings", () => {
  it("take the flag before the environment before the file before the default", () => {
    const file = { name: "config.yaml", value: { node: "from-file", port: 1, scrapeInterval: "5s" } };
    const env = { FULCRUM_NODE: "from-env", FULCRUM_PORT: "2" };
    const resolved = resolveSettings(schema, { file, env, flags: { node: "from-flag", port: undefined } });
    expect(resolved).toEqual({ ok: true, value: { node: "from-flag", port: 2, scrapeInterval: 5 } });
    expect(resolveSettings(schema, { env: { FULCRUM_NODE: "n" }, flags: {} })).toEqual({
      ok: true,
      value: { node: "n", port: 9464, scrapeInterval: 1 },
    });
  });

  it("says of every problem at once where its value came from", () => {
    const resolved = resolveSettings(schema, {
      file: { name: "config.yaml", value: { scrapeInterval: "5 parsecs" } },
      env: { FULCRUM_PORT: "http" },
      flags: {},
    });
    expect(resolved.ok).toBe(false);
    const problems = resolved.ok ? [] : resolved.error;
    expect(problems).toHaveLength(3);
    expect(problems.find((p) => p.startsWith("config.yaml: scrapeInterval: not a duration"))).toBeDefined();
    expect(problems).toContain("FULCRUM_PORT: not a number (given: http)");
    expect(problems).toContain("node: required; set --node, FULCRUM_NODE or node in the file");
  });

  it("names the nearest setting for a misspelt one, and an empty value", () => {
    const file = { name: "config.yaml", value: { node: "n", scrapInterval: "5s", port: null } };
    expect(resolveSettings(schema, { file, env: {}, flags: {} })).toEqual({
      ok: false,
      error: [
        "config.yaml: scrapInterval: no such setting; did you mean scrapeInterval?",
        "config.yaml: port: has no value; give one or remove the line",
      ],
    });
  });

  it("asks for a whole number where a part of one was given", () => {
    expect(resolveSettings(schema, { env: {}, flags: { node: "n", port: "80.5" } })).toEqual({
      ok: false,
      error: ["--port: not a whole number (given: 80.5)"],
    });
  });

  it("does not take an empty flag, which a shell makes of a variable that is not set, for 0", () => {
    expect(resolveSettings(schema, { env: {}, flags: { node: "n", port: "" } })).toEqual({
      ok: false,
      error: ["--port: has no value; give one or leave the flag out"],
    });
  });

  it("takes an empty variable as not set, and an empty file as no settings", () => {
    const resolved = resolveSettings(schema, { file: { name: "c", value: null }, env: { FULCRUM_PORT: "", FULCRUM_NODE: "n" }, flags: {} });
    expect(resolved).toMatchObject({ ok: true, value: { port: 9464 } });
  });

  it("refuses a file that is not a map", () => {
    const resolved = resolveSettings(schema, { file: { name: "c.yaml", value: ["node"] }, env: { FULCRUM_NODE: "n" }, flags: {} });
    expect(resolved).toEqual({ ok: false, error: ['c.yaml: must hold settings as "name: value" pairs'] });
  });

  it("never repeats a secret", () => {
    const resolved = resolveSettings(schema, { env: { FULCRUM_TOKEN: "hunter2", FULCRUM_NODE: "n" }, flags: {} });
    expect(resolved.ok ? "" : resolved.error.join("\n")).toMatch(/^FULCRUM_TOKEN: (?!.*hunter2)/);
  });

  it("spells names the usual way", () => {
    expect([envName("otlpGrpcPort"), flagName("otlpGrpcPort")]).toEqual(["FULCRUM_OTLP_GRPC_PORT", "--otlp-grpc-port"]);
  });
});

describe("durations of settings", () => {
  it.each([
    ["500ms", 0.5],
    ["1m30s", 90],
    [2.5, 2.5],
  ])("%s is %d s", (text, seconds) => expect(durationSetting.parse(text)).toBe(seconds));

  it.each(["5", "0s", "-1s", "1 s", "", "s", 0, -1, Number.NaN])("%s is refused", (text) =>
    expect(durationSetting.safeParse(text).success).toBe(false),
  );
});
