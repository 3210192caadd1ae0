import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoSummary } from "../../cli/demo/summary.ts";
import { startDemo, until, type RunningDemo } from "../support/demo.ts";
import { needs } from "../support/components.ts";
import { sharedPath } from "../support/shared.ts";

const bundle = fileURLToPath(new URL("../../dist/fulcrum.mjs", import.meta.url));

function demo(args: readonly string[]): Promise<{ code: number; stderr: string; stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bundle, "demo", ...args], { timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** Below the range that outgoing connections take their ports from: one of another test's may not lie on it by chance. */
const QUIET_PORT = "18210";

const scratch = (): Promise<string> => mkdtemp(join(tmpdir(), "fulcrum-demo-test-"));

describe("what a wrong start says", () => {
  it("a port in use: which, and what to do", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const address = blocker.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { code, stderr } = await demo(["--port", String(port), "--run-dir", await scratch()]);
    blocker.close();
    expect(code).toBe(2);
    expect(stderr).toContain(`${port} (in use)`);
    expect(stderr).toContain("--port");
  });

  it("a missing trace, and a bad row with its line", async () => {
    const dir = await scratch();
    const missing = await demo(["--trace", join(dir, "none.csv"), "--port", QUIET_PORT, "--run-dir", dir]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("none.csv");
    const bad = join(dir, "bad.csv");
    await writeFile(bad, "t_s,isl,osl\n1,100,10\n2,many,10\n");
    const row = await demo(["--trace", bad, "--port", QUIET_PORT, "--run-dir", dir]);
    expect(row.code).toBe(2);
    expect(row.stderr).toMatch(/bad\.csv:3: /);
  });

  it("a bad policy with file, line and column", async () => {
    const dir = await scratch();
    const policy = join(dir, "policy.yaml");
    await writeFile(policy, "apiVersion: fulcrum.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: { name: x }\nspec:\n  objectivs: {}\n");
    const { code, stderr } = await demo(["--policy", policy, "--port", QUIET_PORT, "--run-dir", dir]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/policy\.yaml:5:3: /);
  });
});

describe("Ctrl-C", () => {
  let running: RunningDemo;
  beforeAll(async () => {
    running = await startDemo(["--duration", "120s"]);
    await until("engines", 60, async () => ((await running.pools()).pools.some((p) => p.replicas.length > 0) ? true : undefined));
  });
  afterAll(() => running.interrupt());

  it("stops every process, says what was served, exits 0", async () => {
    const { pools } = await running.pools();
    const pids = [
      ...pools.flatMap((p) => p.replicas.map((r) => r.pid)),
      ...(await Promise.all(["scaler", "fleet", "agent-node-a", "agent-node-b"].map((part) => running.pid(part)))),
    ].filter((pid) => pid !== null);
    expect(pids.length).toBeGreaterThanOrEqual(6);
    running.interrupt();
    const { code, summary, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(summary?.interrupted).toBe(true);
    expect(stderr).toContain("Stopped after");
    const alive = pids.filter((pid) => isAlive(pid));
    expect(alive).toEqual([]);
  });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe.skipIf(sharedPath("traces/azure_llm_2023_conv.csv") === undefined)(`the main job on public traces ${needs("shared data")}`, () => {
  it.each([
    { name: "azure_llm_2023_conv.csv", engine: "vllm", rate: "8", from: "0s" },
    { name: "mooncake_fast25_conversation.jsonl.gz", engine: "sglang", rate: "2", from: "10m" },
  ])(
    "$name on $engine engines",
    async ({ name, engine, rate, from }) => {
      const trace = sharedPath(`traces/${name}`) ?? "";
      const run = await startDemo(["--trace", trace, "--rate", rate, "--from", from, "--duration", "45s", "--engine", engine]);
      const { code, summary, stderr } = await run.ended;
      expect(code, stderr).toBe(0);
      if (summary === undefined) throw new Error(stderr);
      checkSummary(summary);
      expect(summary.engine).toBe(engine);
      // Prefix hashes are honoured as cached tokens: only the Mooncake trace has them.
      const cached = await cachedTokens(run.runDir);
      if (name.startsWith("mooncake")) expect(cached).toBeGreaterThan(0);
      else expect(cached).toBe(0);
    },
    300_000,
  );
});

/** Cached tokens as the scaler saw them, from its journal. */
async function cachedTokens(runDir: string): Promise<number> {
  let sum = 0;
  for (const file of (await readdir(join(runDir, "journal"))).filter((f) => f.endsWith(".jsonl"))) {
    for (const line of (await readFile(join(runDir, "journal", file), "utf8")).split("\n").filter((l) => l.startsWith('{"kind":"tick"'))) {
      const tick = JSON.parse(line) as { observation: { pools: { prefill?: { interval?: { cachedTokens?: number } } } } };
      sum += tick.observation.pools.prefill?.interval?.cachedTokens ?? 0;
    }
  }
  return sum;
}

function checkSummary(s: DemoSummary): void {
  expect(s.requests).toBeGreaterThan(30);
  expect(s.completed).toBe(s.requests);
  for (const key of ["ttft", "itl", "both"] as const) expect(s.attainment[key]).toBeGreaterThan(0);
  for (const q of ["p50", "p95", "p99"] as const) {
    expect(s.ttft?.[q]).toBeGreaterThan(0);
    expect(s.itl?.[q]).toBeGreaterThan(0);
  }
  expect(s.gpuHours).toBeGreaterThan(0);
  expect(s.decisions).toBeGreaterThan(10);
  expect(s.actions).toMatchObject({
    up: expect.any(Number),
    down: expect.any(Number),
    conversions: expect.any(Number),
    reversals: expect.any(Number),
  });
  expect(s.timeline.length).toBeGreaterThan(0);
  expect(s.agents.map((a) => a.node)).toEqual(["node-a", "node-b"]);
  expect(s.reports).toBeGreaterThan(60);
  // Two spans a request, one from each side; SGLang sends a tree.
  expect(s.spans).toBeGreaterThanOrEqual(2 * s.requests);
}
