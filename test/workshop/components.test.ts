import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { component, needs } from "../support/components.ts";
import { tempTree } from "../support/temp-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

function variable(name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  onTestFinished(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

test("a program named by its variable is used, and only if it can run", () => {
  const folder = tempTree({ promtool: "#!/bin/sh\n" });
  const path = join(folder, "promtool");
  variable("FULCRUM_PROMTOOL", path);
  expect(component("promtool")).toBeUndefined();
  chmodSync(path, 0o755);
  expect(component("promtool")).toBe(path);
});

test("the need stands in the test's name in the form the summary reads", () => {
  expect(needs("promtool", "shared data")).toBe("[needs promtool, shared data]");
});

test("without package tools the setup names what is missing and still succeeds", () => {
  const nowhere = tempTree({ "bin/.keep": "" });
  // Only what a shell script cannot do without; no apt-get, no prometheus.
  const environment = { PATH: join(nowhere, "bin"), FULCRUM_COMPONENTS: join(nowhere, "cache") };
  const script = `. "${join(root, "scripts/setup-components.sh")}"`;
  const said = execFileSync(
    "/bin/bash",
    ["-c", `cd() { builtin cd "${root}"; }; dirname() { echo "${root}/scripts"; }; exec 2>&1; ${script}`],
    {
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    },
  );
  for (const name of ["prometheus and promtool", "alertmanager", "chromium"]) expect(said).toContain(`setup: ${name} is not here`);
});
