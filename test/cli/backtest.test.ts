import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../support/run-cli.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fulcrum-backtest-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const POLICY = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: t }
spec: { objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }, budget: { gpus: 8 } }
`;

async function backtest(trace: string, ...more: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const files = { policy: join(folder, "policy.yaml"), trace: join(folder, "trace.csv") };
  await writeFile(files.policy, POLICY);
  await writeFile(files.trace, trace);
  return runCli(["backtest", "--policy", files.policy, "--trace", files.trace, "--controllers", "fulcrum", ...more]);
}

describe("backtest says of its trace", () => {
  test("what was left out, and what no plan can serve", async () => {
    const { code, stdout, stderr } = await backtest("t_s,isl,osl\n0,500,10\n1,500,0\n2,3000000,10\nx,1,1\n", "--skip-bad", "--json");
    expect(code).toBe(0);
    expect(stderr).toContain("2 requests in 2 s; 1 bad row was left out; 1 row with 0 output tokens was left out: failed at the source");
    expect(stderr).toMatch(/^1 requests need more KV than one replica's \d+ tokens/m);
    const report = JSON.parse(stdout) as { trace: object; runs: { attainment: object; unfinished: number }[] };
    expect(report.trace).toMatchObject({ requests: 2, skipped: 1, failedAtSource: 1 });
    expect(report.runs[0]).toMatchObject({ completed: 1, unfinished: 1, attainment: { both: 0.5 } });
  });

  test("its bad rows by file and line, and exits with 2", async () => {
    const { code, stdout, stderr } = await backtest("t_s,isl,osl\n0,500,10\nx,1,1\n");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`${join(folder, "trace.csv")}:3: TRACE_VALUE t_s is "x"; want a number`);
  });
});
