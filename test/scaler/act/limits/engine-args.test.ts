import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findEngine, flagSteps, type EngineContainer } from "../../../../scaler/act/limits/engine-args.ts";
import { isWorthIt, waits } from "../../../../scaler/act/limits/budget.ts";
import { jsonPatch } from "../../../support/kube-api/patch.ts";

const vllm = (...args: readonly string[]): EngineContainer => ({ command: ["vllm", "serve", "m"], args });
const found = (container: EngineContainer, role: "prefill" | "decode") => {
  const engine = findEngine([{ command: ["/sidecar"], args: [] }, container], role);
  return engine.ok ? engine.value : engine.error;
};

describe("which engine a pod starts, and how it takes a limit", () => {
  test.each([
    [vllm("--max-num-seqs", "128"), { name: "vLLM", container: 1, port: 8000, value: 128, knob: { flag: "--max-num-seqs" } }],
    [vllm("--max-num-seqs=64", "--port=9000"), { value: 64, port: 9000 }],
    [vllm("--max-num-seqs", "64", "--max-num-seqs", "32"), { value: 32 }],
    [vllm(), { value: undefined }],
    [
      { command: ["python3", "-m", "sglang.launch_server"], args: ["--max-running-requests", "48"] },
      { name: "SGLang", port: 30_000, value: 48, knob: { flag: "--max-running-requests", live: "pp_max_micro_batch_size" } },
    ],
    // A Dynamo worker takes the arguments, but serves no settings.
    [
      { command: ["python3", "-m", "dynamo.sglang"], args: [] },
      { name: "SGLang", knob: { flag: "--max-running-requests" } },
    ],
    [
      { command: [], args: ["trtllm-serve", "m"] },
      { name: "TensorRT-LLM", knob: { flag: "--max_batch_size" } },
    ],
  ] as const)("%j", (container, expected) => {
    expect(found(container, "decode")).toMatchObject(expected);
  });

  test("a line of shell, and an engine nobody knows, are told", () => {
    expect(found({ command: ["sh", "-c"], args: ["vllm serve m --max-num-seqs 4"] }, "decode")).toMatch(/starts? vLLM by a line of shell/);
    expect(found({ command: ["serve"], args: ["--model", "x"] }, "decode")).toMatch(/no container of its pods starts an engine/);
  });
});

test("an argument is changed and nothing else, however it was written; it is added where it was not", () => {
  const flag = "--max-num-seqs";
  const others = fc.constantFrom("--model", "m", "--port", "8000", "--max-num-seqs-x", "--enable-x", "-O3");
  const given = fc.oneof(
    fc.constant<string[]>([]),
    fc.nat(999).map((n) => [flag, String(n)]),
    fc.nat(999).map((n) => [`${flag}=${n}`]),
  );
  fc.assert(
    fc.property(
      fc.array(others),
      given,
      fc.array(others),
      fc.integer({ min: 1, max: 4096 }),
      fc.boolean(),
      (before, mine, after, to, asCommand) => {
        const words = [...before, ...mine, ...after];
        const container = asCommand ? { command: ["vllm", ...words], args: [] } : { command: ["vllm"], args: words };
        const steps = flagSteps(container, "", flag, to);
        const patched = jsonPatch(container, steps as unknown as Parameters<typeof jsonPatch>[1]);
        if (!("value" in patched)) throw new Error(patched.problem);
        const now = patched.value as unknown as EngineContainer;
        expect(found(now, "decode")).toMatchObject({ value: to });
        const rest = ({ command, args }: EngineContainer): string[] =>
          [...command, ...args].filter((word, i, all) => !word.startsWith(`${flag}=`) && word !== flag && all[i - 1] !== flag);
        expect(rest(now)).toEqual(rest(container));
      },
    ),
  );
});

test("the budget of rollouts: worth it, on whole pools, one in an hour", () => {
  expect([isWorthIt(100, 124), isWorthIt(100, 125), isWorthIt(100, 75), isWorthIt(undefined, 8)]).toEqual([false, true, true, true]);
  const whole = { ready: 4, wanted: 4, now: 10_000 };
  expect(waits({ ...whole, last: undefined })).toBeUndefined();
  expect(waits({ ...whole, last: 6400 })).toBeUndefined();
  expect(waits({ ...whole, last: 6401 })).toMatch(/one rollout in 3600 s is the budget/);
  expect(waits({ ...whole, last: undefined, ready: 3 })).toMatch(/1 of 4 replicas are not ready/);
});
