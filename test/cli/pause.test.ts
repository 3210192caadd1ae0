import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { PageState } from "../../wire/page.ts";
import { runTestScaler, type RunningScaler } from "../scaler/support/run-scaler.ts";
import { runCli } from "../support/run-cli.ts";
import { tempTree } from "../support/temp-tree.ts";

const TOKEN = "0123456789abcdef0123";
const running: RunningScaler[] = [];
afterEach(async () => {
  for (const scaler of running.splice(0)) {
    await scaler.stop();
    await scaler.remove();
  }
});

async function start(written = `alice ${TOKEN}\n`): Promise<{ scaler: RunningScaler; args: readonly string[]; root: string }> {
  const root = tempTree({ tokens: written, token: `${TOKEN}\n`, other: "not-one-of-them-0123\n" });
  const scaler = await runTestScaler({ settings: { writeTokens: join(root, "tokens") } });
  running.push(scaler);
  return { scaler, root, args: ["--url", scaler.url, "--token-file", join(root, "token")] };
}
const mode = async (scaler: RunningScaler): Promise<unknown> => {
  const [policy] = (await scaler.json<PageState>("/api/state")).policies;
  return [policy?.mode, policy?.override?.reason];
};

describe("fulcrum pause and resume", () => {
  test("pause all policies, say so of each, and take it back", async () => {
    const { scaler, args } = await start();
    const paused = await runCli(["pause", ...args, "--for", "30m", "--reason", "node pool"]);
    expect(paused).toMatchObject({ code: 0, stderr: "" });
    expect(paused.stdout).toMatch(/^demo\/test: paused by alice since \S+Z until \S+Z: node pool \(the policy says enforce\)\n$/);
    expect(await mode(scaler)).toEqual(["paused", "node pool"]);
    expect(await runCli(["resume", ...args])).toEqual({ code: 0, stdout: "demo/test: enforce, as the policy says\n", stderr: "" });
    expect(await mode(scaler)).toEqual(["enforce", undefined]);
  });

  test("one policy, by either name, as JSON; settings come from the environment too", async () => {
    const { scaler, root } = await start();
    const env = { FULCRUM_URL: `${scaler.url}/`, FULCRUM_WRITE_TOKEN_FILE: join(root, "token") };
    const paused = await runCli(["pause", "--policy", "test", "--json"], { env });
    expect(JSON.parse(paused.stdout)).toMatchObject({
      policies: [{ name: "demo/test", mode: "paused", policyMode: "enforce", override: { by: "alice" } }],
    });
    expect((await runCli(["resume", "--policy", "demo/test"], { env })).code).toBe(0);
    expect(await mode(scaler)).toEqual(["enforce", undefined]);
  });

  test("what is refused ends with 1, what was asked wrongly with 2, who does not answer with 3; nothing is changed", async () => {
    const { scaler, args, root } = await start();
    for (const [given, code, text] of [
      [["--url", scaler.url, "--token-file", join(root, "other")], 1, "401: present one of the scaler's writeTokens"],
      [[...args, "--for", "soon"], 2, "400: for: a duration"],
      [[...args, "--policy", "nobody"], 2, "404: there is no policy nobody here; name one of demo/test"],
      [["--url", scaler.url], 2, "--token-file (FULCRUM_WRITE_TOKEN_FILE): required"],
      [["--url", scaler.url, "--token-file", join(root, "tokens")], 2, "holds no single token"],
      [["--url", scaler.url, "--token-file", join(root, "nothing")], 2, "no such file"],
      [["--url", "scaler", "--token-file", join(root, "token")], 2, "not an address"],
      [["--url", "http://127.0.0.1:1", "--token-file", join(root, "token")], 3, "the scaler does not answer"],
    ] as const) {
      const ran = await runCli(["pause", ...given]);
      expect([ran.code, ran.stdout, ran.stderr], given.join(" ")).toEqual([code, "", expect.stringContaining(text) as string]);
    }
    expect(await mode(scaler)).toEqual(["enforce", undefined]);
  });
});
