import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { runBacktest, type BacktestOptions } from "../../../cli/backtest.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";

let folder = "";
let options: BacktestOptions;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fulcrum-backtest-"));
  const rows = builtinTrace(1).requests.map((item) => `${item.arrival},${item.inputTokens},${item.outputTokens}`);
  const trace = join(folder, "trace.csv");
  const policy = join(folder, "policy.yaml");
  await writeFile(trace, ["t_s,isl,osl", ...rows].join("\n"));
  await writeFile(
    policy,
    `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: small }
spec:
  objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }
  budget: { gpus: 8 }
  pools: { prefill: { leadTime: 15s }, decode: { leadTime: 15s } }
  behavior: { interval: 2s, scaleDown: { stabilization: 30s } }
  schedule: [{ cron: "0 0 * * *", for: 10h, prefill: { min: 4 } }]
`,
  );
  options = { policy, trace, rate: 1, slow: 1, faults: [], seed: 1, skipBad: false, json: true, failUnder: [] };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The command's answer: exit code, stdout and stderr, or the error it ends with. */
async function answer(changes: Partial<BacktestOptions>) {
  const written = { out: "", err: "" };
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => ((written.out += String(text)), true));
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => ((written.err += String(text)), true));
  try {
    return { code: await runBacktest({ ...options, ...changes }), ...written, message: "" };
  } catch (error) {
    const code = error instanceof Error && "exitCode" in error ? error.exitCode : -1;
    return { code, ...written, message: error instanceof Error ? error.message : String(error) };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

describe("fulcrum backtest", () => {
  it("prints the documented JSON for every controller and progress on stderr", async () => {
    const { code, out, err } = await answer({});
    const report: unknown = JSON.parse(out);
    expect(code).toBe(0);
    const figures = {
      mean: expect.any(Number),
      p50: expect.any(Number),
      p90: expect.any(Number),
      p95: expect.any(Number),
      p99: expect.any(Number),
    };
    expect(report).toMatchObject({
      policy: "small",
      profile: "h200-llama-3.1-8b",
      seed: 1,
      trace: { name: "trace.csv", requests: builtinTrace(1).requests.length, inputTokens: builtinTrace(1).inputTokens },
      runs: ["fulcrum", "static", "hpa-queue"].map((controller) => ({
        controller,
        attainment: { ttft: expect.any(Number), itl: expect.any(Number), both: expect.any(Number) },
        ttft: figures,
        itl: figures,
        completed: builtinTrace(1).requests.length,
        unfinished: 0,
        gpuHours: expect.any(Number),
        actions: { up: expect.any(Number), down: expect.any(Number), conversions: expect.any(Number), reversals: expect.any(Number) },
        timeline: expect.arrayContaining([[0, expect.any(Number), expect.any(Number)]]),
        cpuSeconds: expect.any(Number),
        requestsPerCpuSecond: expect.any(Number),
      })),
    });
    expect(err).toContain("fulcrum: running");
    expect(err).toContain("in observe mode; in the back-test it acts");
    expect(err).toContain("has a schedule; a trace has no dates, so it is left out");
  });

  it("prints a table and writes a page that stands alone", async () => {
    const html = join(folder, "report.html");
    const { code, out } = await answer({ json: false, html, controllers: ["static"] });
    expect(code).toBe(0);
    expect(out).toMatch(/controller\s+TTFT met %[\s\S]+static/);
    const page = await readFile(html, "utf8");
    expect(page).toContain("<svg");
    expect(page).not.toMatch(/https?:|<script/);
  });

  it("has told its answer before a report that cannot be written ends it with 3", async () => {
    const { code, out, message } = await answer({ html: join(folder, "nowhere", "report.html"), controllers: ["static"] });
    expect(code).toBe(3);
    expect(message).toContain("report.html: cannot write the report: no such file");
    expect(JSON.parse(out)).toMatchObject({ runs: [{ controller: "static" }] });
  });

  it("answers --fail-under with the exit code", async () => {
    expect((await answer({ controllers: ["static"], failUnder: ["attainment=0.1"] })).code).toBe(0);
    const missed = await answer({ controllers: ["static"], slow: 4, failUnder: ["attainment=0.999"] });
    expect(missed.code).toBe(1);
    expect(missed.err).toMatch(/static: attainment 0\.\d+ is under 0\.999/);
  });

  it.each([
    [{ controllers: ["speed"] }, 'there is no controller "speed"; available: fulcrum, static'],
    [{ faults: ["flood=1m"] }, 'there is no fault "flood"'],
    [{ failUnder: ["luck=1"] }, "--fail-under luck=1"],
    [{ from: 4000 }, /no requests between --from 4000s and the end of the trace, \d+\.\ds, at --rate 1$/],
    [{ from: 60, to: 30 }, "--to 30s must lie after --from 60s"],
    [{ trace: "nowhere.csv" }, "nowhere.csv: TRACE_READ no such file"],
    [{ policy: "nowhere.yaml" }, "nowhere.yaml: no such file"],
    [{ profile: "nowhere.json" }, "nowhere.json: PROFILE_READ no such file"],
  ])("refuses %o with exit 2 and a reason", async (changes, reason) => {
    const { code, message } = await answer(changes);
    expect(code).toBe(2);
    if (typeof reason === "string") expect(message).toContain(reason);
    else expect(message).toMatch(reason);
  });
});
