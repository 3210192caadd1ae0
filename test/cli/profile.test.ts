import { join } from "node:path";
import { expect, test } from "vitest";
import { defaultProfile } from "../../sim/profiles/load.ts";
import { runCli } from "../support/run-cli.ts";
import { tempTree } from "../support/temp-tree.ts";

test("profile import prints a profile that imports to itself, with the error of its fit", async () => {
  const root = tempTree({ "tables.json": JSON.stringify(defaultProfile) });
  const { code, stdout, stderr } = await runCli(["profile", "import", join(root, "tables.json")]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(defaultProfile);
  expect(stderr).toMatch(/\d+ prefill and \d+ decode points; the models fitted to them err by [\d.]+ % and [\d.]+ % on average/);
});

test("tables that are none are refused with the field, exit 2", async () => {
  const root = tempTree({ "bad.json": JSON.stringify({ ...defaultProfile, prefill: [], kvBytesPerToken: -1 }) });
  const { code, stdout, stderr } = await runCli(["profile", "import", join(root, "bad.json")]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("kvBytesPerToken");
  expect(stderr).toContain("prefill");
  expect((await runCli(["profile", "import", join(root, "none.json")])).code).toBe(2);
});
