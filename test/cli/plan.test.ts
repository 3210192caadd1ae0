import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { HOME } from "../../scripts/gates/command.ts";
import { runCli } from "../support/run-cli.ts";

const POLICY = {
  apiVersion: "fulcrum.dev/v1alpha1",
  kind: "ScalingPolicy",
  metadata: { name: "p" },
  spec: { objectives: { ttft: { target: "2s" }, itl: { target: "30ms" } }, budget: { gpus: 8 } },
};
const HELLO = { type: "hello", policy: POLICY };

/** The observation of the format contract, with `at` and arrivals per second to vary. */
function observation(at: number, arrivals = 40, ready = 2): object {
  return {
    type: "observation",
    at,
    pools: {
      prefill: {
        replicas: { ready, starting: [], draining: 0 },
        queue: { requests: 3, tokens: 5100 },
        running: { requests: 4, tokens: 8000 },
        limits: { maxBatchedTokens: 8192 },
        interval: {
          seconds: 5,
          arrivals,
          inputTokens: arrivals * 1300,
          cachedTokens: 0,
          batches: { count: 61, tokens: 52000, seconds: 9.1 },
          ttft: { count: 38, mean: 0.21, p50: 0.18, p90: 0.35, p95: 0.41, p99: 0.6 },
          isl: { mean: 1300, p50: 1000, p90: 2600, p99: 4100 },
        },
      },
      decode: {
        replicas: { ready: 3, starting: [], draining: 0 },
        queue: { requests: 0 },
        running: { requests: 96, kvTokens: 150000 },
        kvUsage: 0.41,
        limits: { maxNumSeqs: 256 },
        interval: {
          seconds: 5,
          finished: 37,
          outputTokens: 8100,
          steps: { count: 900, seconds: 14.9, sequences: 28800, kvTokens: 45000000 },
          itl: { count: 8100, mean: 0.016, p50: 0.016, p90: 0.019, p95: 0.02, p99: 0.024 },
          osl: { mean: 215, p50: 130, p90: 500, p99: 600 },
        },
      },
    },
    transfer: { seconds: 5, transfers: 38, bytes: 6.4e9, busySeconds: 0.4, failures: 0, backlog: 0 },
  };
}

async function plan(...lines: readonly (object | string)[]): Promise<{ code: number | null; answers: Record<string, unknown>[] }> {
  const stdin = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
  const { code, stdout } = await runCli(["plan"], { stdin });
  const answers = stdout.split("\n").filter((line) => line !== "");
  return { code, answers: answers.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe("plan", () => {
  test("one answer per line: ready, then a decision per observation", async () => {
    const { code, answers } = await plan(HELLO, observation(0), observation(5));
    expect(code).toBe(0);
    expect(answers.map((answer) => answer["type"])).toEqual(["ready", "decision", "decision"]);
    expect(answers[2]).toMatchObject({
      at: 5,
      pools: { prefill: { replicas: expect.any(Number) }, decode: { replicas: expect.any(Number) } },
      moves: expect.any(Array),
      predicted: expect.any(Object),
      reasons: expect.arrayContaining([{ code: expect.any(String), text: expect.any(String) }].map((one) => expect.objectContaining(one))),
    });
  });

  test("a heavier load never wants fewer prefill replicas", async () => {
    const wanted = async (arrivals: number): Promise<number> => {
      const ticks = Array.from({ length: 10 }, (_, index) => observation(index * 5, arrivals));
      const { answers } = await plan(HELLO, ...ticks);
      return (answers.at(-1) as { pools: { prefill: { replicas: number } } }).pools.prefill.replicas;
    };
    const [light, heavy] = await Promise.all([wanted(40), wanted(400)]);
    expect(heavy).toBeGreaterThan(light);
  });

  test("a driver that names no starting replicas is believed to start those that were advised", async () => {
    const ticks = Array.from({ length: 20 }, (_, index) => {
      const line = observation(index * 5, 400) as { pools: { prefill: { replicas: object } } };
      line.pools.prefill.replicas = { ready: 2 };
      return line;
    });
    const { answers } = await plan(HELLO, ...ticks);
    const prefill = answers.slice(1).map((answer) => (answer as { pools: { prefill: { replicas: number } } }).pools.prefill.replicas);
    // A step may double what is there: to get further than 4, the two advised first must count.
    expect(Math.max(...prefill)).toBeGreaterThan(4);
    expect(prefill).toEqual([...prefill].sort((a, b) => a - b));
  });

  test("a driver that never counts replicas is taken to follow the advice; one that stops counting is held", async () => {
    const bare = (at: number, arrivals: number): object => {
      const line = observation(at, arrivals) as { pools: { prefill: { replicas?: object }; decode: { replicas?: object } } };
      delete line.pools.prefill.replicas;
      delete line.pools.decode.replicas;
      return line;
    };
    const prefill = (answers: readonly object[]): number[] =>
      answers.slice(1).map((answer) => (answer as { pools: { prefill: { replicas: number } } }).pools.prefill.replicas);
    const never = await plan(HELLO, ...Array.from({ length: 20 }, (_, index) => bare(index * 5, 400)));
    const advised = prefill(never.answers);
    expect(never.answers[1]).toMatchObject({ hold: true, reasons: [{ code: "insufficient-evidence" }] });
    expect(advised[0]).toBe(1);
    // A step may double what is there: beyond 2 the one advised first must count.
    expect(advised.at(-1)).toBeGreaterThan(2);
    const stopped = await plan(HELLO, observation(0, 40, 3), observation(5, 40, 3), ...[10, 15, 20].map((at) => bare(at, 400)));
    expect(prefill(stopped.answers)).toEqual([3, 3, 3, 3, 3]);
    expect(stopped.answers.at(-1)).toMatchObject({ hold: true });
  });

  test("a batch is advised that fits the KV memory, though nobody says how large it is", async () => {
    const batch = async (kvUsage: number): Promise<number> => {
      const ticks = Array.from({ length: 20 }, (_, index) => {
        const line = observation(index * 5) as { pools: { decode: object } };
        line.pools.decode = { ...line.pools.decode, kvUsage };
        return line;
      });
      const { answers } = await plan(HELLO, ...ticks);
      return (answers.at(-1) as { pools: { decode: { limits: { maxNumSeqs: number } } } }).pools.decode.limits.maxNumSeqs;
    };
    // 50 000 tokens a replica, of which every request holds 1300 and what it has answered.
    expect(await batch(1)).toBeLessThan(50_000 / 1300);
    expect(await batch(0.1)).toBeGreaterThan(96);
  });

  test("at any interval, spare replicas go once a stabilization window was seen; a gap begins it anew", async () => {
    const sized = async (times: readonly number[]): Promise<number> => {
      const { answers } = await plan(HELLO, ...times.map((at) => observation(at, 40, 6)));
      return (answers.at(-1) as { pools: { prefill: { replicas: number } } }).pools.prefill.replicas;
    };
    const every = (seconds: number): number[] => Array.from({ length: 12 }, (_, index) => index * seconds);
    for (const seconds of [5, 31, 60, 120]) expect([seconds, await sized(every(seconds))]).toEqual([seconds, seconds === 5 ? 6 : 5]);
    expect(await sized([...every(31), 12 * 31 + 600])).toBe(6);
  });

  test("the same lines give the same answers", async () => {
    const lines = [HELLO, observation(0), observation(5, 80), observation(10, 160)];
    expect(await plan(...lines)).toEqual(await plan(...lines));
  });

  test("a bad line is answered with its number and code, and the stream goes on as if it had not been sent", async () => {
    const { code, answers } = await plan(
      observation(0),
      HELLO,
      "",
      "nonsense",
      '{"type":"observation","at":NaN,"pools":{}}',
      "[1]",
      { type: "goodbye" },
      observation(10),
      observation(5),
      { type: "observation", at: 15, pools: { prefill: { replicas: { ready: -1 } }, decode: { kvUsage: 2 } } },
      { type: "hello", policy: { ...POLICY, spec: { budget: { gpus: 1 }, objectives: {} } } },
      { type: "hello", policy: POLICY, profile: { name: 1 } },
      observation(15),
    );
    expect(code).toBe(0);
    expect(answers.map((answer) => [answer["line"], answer["code"] ?? answer["type"]])).toEqual([
      [1, "PLAN_NO_HELLO"],
      [undefined, "ready"],
      [4, "PLAN_SYNTAX"],
      [5, "PLAN_SYNTAX"],
      [6, "PLAN_SYNTAX"],
      [7, "PLAN_TYPE"],
      [undefined, "decision"],
      [9, "PLAN_TIME"],
      [10, "PLAN_OBSERVATION"],
      [11, "PLAN_POLICY"],
      [12, "PLAN_PROFILE"],
      [undefined, "decision"],
    ]);
    const message = (index: number): unknown => answers[index]?.["message"];
    expect(message(3)).toContain("leave the field out");
    expect(message(8)).toContain("pools.prefill.replicas.ready: ");
    expect(message(8)).toContain("pools.decode.kvUsage: ");
    expect(answers.at(-1)).toEqual((await plan(HELLO, observation(10), observation(15))).answers.at(-1));
  });

  test("a line beyond the limit is dropped and named", async () => {
    const { answers } = await plan(HELLO, `{"type":"observation","padding":"${"x".repeat(1024 * 1024)}"}`, observation(0));
    expect(answers.map((answer) => answer["code"] ?? answer["type"])).toEqual(["ready", "PLAN_TOO_LONG", "decision"]);
  });

  test("missing is absent: an empty observation holds", async () => {
    const { answers } = await plan(
      HELLO,
      { type: "observation", at: 0, pools: {} },
      { type: "observation", at: 5, pools: { prefill: null } },
    );
    for (const answer of answers.slice(1)) {
      expect(answer).toMatchObject({ type: "decision", hold: true });
      expect(JSON.stringify(answer["reasons"])).toContain("insufficient-evidence");
    }
  });

  test("no hello at all: exit 2", async () => {
    expect((await plan()).code).toBe(2);
    expect((await plan(observation(0))).code).toBe(2);
  });

  test("each answer is there before the next line is sent", async () => {
    const child = spawn(process.execPath, [join(HOME, "dist", "fulcrum.mjs"), "plan"], { stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(() => void child.kill());
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (const [line, type] of [
      [HELLO, "ready"],
      [observation(0), "decision"],
      [{ type: "x" }, "error"],
      [observation(5), "decision"],
    ] as const) {
      child.stdin.write(`${JSON.stringify(line)}\n`);
      const answer = await answers.next();
      expect(JSON.parse(String(answer.value))).toMatchObject({ type });
    }
    child.stdin.end();
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  });
});
