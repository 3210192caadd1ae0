import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
  expect(stderr).toContain("PROFILE_FIELD kvBytesPerToken: expected more than 0, found -1");
  expect(stderr).toContain("PROFILE_FIELD prefill: expected at least 3 entries, found 0");
  expect((await runCli(["profile", "import", join(root, "none.json")])).code).toBe(2);
});

const fixture = (path: string): string => fileURLToPath(new URL(`../fixtures/profiles/${path}`, import.meta.url));

test("folders of Dynamo's profiler and AIConfigurator import to profiles that import to themselves", async () => {
  const dynamo = await runCli(["profile", "import", fixture("dynamo"), "--model", "Llama-3.1-8B", "--gpu", "H200"]);
  expect(dynamo.code).toBe(0);
  expect(dynamo.stderr).toContain("17 prefill and 16 decode points; the models fitted to them err by 0.0 % and 0.0 %");
  const root = tempTree({ "dynamo.json": dynamo.stdout });
  expect((await runCli(["profile", "import", join(root, "dynamo.json")])).stdout).toBe(dynamo.stdout);
  const estimated = await runCli(["profile", "import", fixture("aiconfigurator"), "--from", "aiconfigurator"]);
  expect(estimated.code).toBe(0);
  expect(JSON.parse(estimated.stdout)).toMatchObject({ gpu: "h200_sxm", kvBytesPerToken: 131_072 });
});

test("a model that does not describe the points is a warning; what cannot be read ends with 2", async () => {
  const scattered = {
    ...defaultProfile,
    decode: defaultProfile.decode.map((row, index) => ({ ...row, ms: row.ms * (index % 2 === 0 ? 1 : 3) })),
  };
  const root = tempTree({ "scattered.json": JSON.stringify(scattered) });
  const { code, stderr } = await runCli(["profile", "import", join(root, "scattered.json")]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/warning: no decode model of this form describes these decode points within 10.0 %/);
  expect(stderr).not.toContain("no prefill model");
  const damaged = await runCli(["profile", "import", fixture("aiconfigurator"), "--from", "dynamo-npz"]);
  expect({ code: damaged.code, stdout: damaged.stdout }).toEqual({ code: 2, stdout: "" });
  expect(damaged.stderr).toContain("PROFILE_NPZ");
  expect((await runCli(["profile", "import", fixture("dynamo"), "--gpus", "1/2/3"])).stderr).toContain("for example 2/4");
});
