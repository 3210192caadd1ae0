import { describe, expect, test } from "vitest";
import { runCli } from "../support/run-cli.ts";

const QUESTION = ["topology", "--shape", "1000/20", "--gpus", "3", "--ttft", "500ms", "--itl", "20ms", "--chunks", "2048"];

describe("fulcrum topology", () => {
  test("prints a table, best first, and a verdict", async () => {
    const { code, stdout } = await runCli(QUESTION);
    expect(code).toBe(0);
    expect(stdout).toContain("goodput: highest rate at which 90 % of requests have TTFT within 500 ms and ITL within 20.0 ms");
    const rates = [...stdout.matchAll(/^\d\S* .*?(\d+\.\d\d) +\d+\.\d{3} +(?:ttft|itl)/gm)].map(([, rate]) => Number(rate));
    expect(rates).toHaveLength(3);
    expect(rates).toEqual(rates.toSorted((a, b) => b - a));
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^(Disaggregation|Neither|Only)/);
  });

  test("--json holds every candidate and the best of both kinds", async () => {
    const { code, stdout } = await runCli([...QUESTION, "--json", "--mixed-step", "shared"]);
    const answer: unknown = JSON.parse(stdout);
    const row = { requestsPerSecond: expect.any(Number), requestsPerSecondPerGpu: expect.any(Number), profiles: expect.any(Array) };
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      gpus: 3,
      mixedStep: "shared",
      objectives: { ttft: 0.5, itl: 0.02, attain: 0.9 },
      candidates: [
        { kind: "aggregated", replicas: { aggregated: 3 }, maxBatchedTokens: 2048, ...row },
        { kind: "disaggregated", replicas: { prefill: 1, decode: 2 }, ...row },
        { kind: "disaggregated", replicas: { prefill: 2, decode: 1 }, ...row },
      ],
      best: { aggregated: { name: "3×TP1, 2048 tokens/step" }, disaggregated: row },
      gain: expect.any(Number),
      verdict: expect.any(String),
    });
  });
});
