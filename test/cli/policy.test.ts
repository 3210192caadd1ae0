import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import { runCli } from "../support/run-cli.ts";
import { tempTree } from "../support/temp-tree.ts";

const GOOD = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: good }
spec:
  objectives: { ttft: { target: 500ms } }
  budget: { gpus: 4 }
`;

describe("policy check", () => {
  test("good files: exit 0", async () => {
    const root = tempTree({ "good.yaml": GOOD });
    const { code, stdout, stderr } = await runCli(["policy", "check", join(root, "good.yaml"), join(HOME, "policies", "minimal.yaml")]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("good.yaml: good (default/good)");
  });

  test("each problem is a line file:line:column: CODE message, exit 1", async () => {
    const root = tempTree({ "bad.yaml": GOOD.replace("target: 500ms", "target: 500").replace("gpus: 4", "gpuz: 4"), "good.yaml": GOOD });
    const bad = join(root, "bad.yaml");
    const { code, stdout } = await runCli(["policy", "check", bad, join(root, "good.yaml")]);
    expect(code).toBe(1);
    const lines = stdout.trim().split("\n");
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/^.+\/bad\.yaml:\d+:\d+: POLICY_[A-Z_]+ \S/);
    expect(stdout).toContain(`${bad}:6:13: POLICY_UNKNOWN_FIELD`);
  });

  test("a target in bare seconds that was meant in milliseconds is warned of; it stays valid", async () => {
    const root = tempTree({
      "slow.yaml": GOOD.replace("ttft: { target: 500ms }", "ttft: { target: 500 }, itl: { target: 30 }"),
      "long.yaml": GOOD.replace("500ms", "60s").replace("name: good", "name: long"),
    });
    const { code, stdout, stderr } = await runCli(["policy", "check", join(root, "slow.yaml"), join(root, "long.yaml")]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    const warnings = stderr.split("\n").filter((line) => line.includes("warning"));
    expect(warnings).toEqual([
      expect.stringMatching(/slow\.yaml: warning: good: spec\.objectives\.ttft\.target is 500s, .*write 500ms/),
      expect.stringMatching(/slow\.yaml: warning: good: spec\.objectives\.itl\.target is 30s, .*write 30ms/),
    ]);
  });

  test("a file that cannot be read: exit 2", async () => {
    const root = tempTree({ "good.yaml": GOOD });
    expect(await runCli(["policy", "check", join(root, "none.yaml")])).toEqual({
      code: 2,
      stdout: "",
      stderr: `${join(root, "none.yaml")}: no such file\n`,
    });
    expect((await runCli(["policy", "check", root])).stderr).toContain("is a directory");
  });
});

describe("policy show and schema", () => {
  test("what show prints has the defaults and checks good", async () => {
    const root = tempTree({ "good.yaml": GOOD });
    const { code, stdout } = await runCli(["policy", "show", join(root, "good.yaml")]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/mode: observe/);
    expect(stdout).toMatch(/interval: 5s/);
    const again = tempTree({ "shown.yaml": stdout });
    const shown = await runCli(["policy", "show", join(again, "shown.yaml")]);
    expect(shown.stdout).toBe(stdout);
  });

  test("show of a bad policy names the problems on stderr, exit 2", async () => {
    const root = tempTree({ "bad.yaml": GOOD.replace("ttft:", "tfft:") });
    const { code, stdout, stderr } = await runCli(["policy", "show", join(root, "bad.yaml")]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/bad\.yaml:\d+:\d+: POLICY_/);
  });

  test("schema is JSON Schema", async () => {
    const { code, stdout } = await runCli(["policy", "schema"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" });
  });
});
