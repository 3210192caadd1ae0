import { describe, expect, test } from "vitest";
import { parsePolicies, policyFromJson } from "../../../scaler/policy/load.ts";
import { formatProblem, POLICY_CODES } from "../../../scaler/policy/problem.ts";

const HEAD = `apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: a }
`;
const GOOD = `${HEAD}spec:
  objectives: { ttft: { target: 500ms } }
  budget: { gpus: 8 }
`;

/** Problems as text, without the file name. */
function problems(text: string): string[] {
  const parsed = parsePolicies(text, "p.yaml");
  return parsed.ok ? [] : parsed.error.map((p) => formatProblem(p).replace("p.yaml:", ""));
}

const spec = (lines: string): string => `${GOOD}${lines}`;

describe("a good policy", () => {
  test("needs one objective and one bound; the rest has defaults", () => {
    const parsed = parsePolicies(GOOD, "p.yaml");
    expect(parsed.ok && parsed.value).toMatchObject([
      {
        metadata: { name: "a", namespace: "default" },
        spec: {
          mode: "observe",
          objectives: { ttft: { quantile: 0.95, target: 0.5 }, headroom: 0.15 },
          pools: { prefill: { replicas: { min: 1 }, leadTime: 90 }, decode: { gpusPerReplica: 1 } },
          behavior: { interval: 5, scaleDown: { stabilization: 300, step: 0.25, cooldown: 60 } },
          schedule: [],
        },
      },
    ]);
  });

  test("may stand with others in one file", () => {
    const parsed = parsePolicies(`${GOOD}---\n${GOOD.replace("name: a", "name: b")}---\n`, "p.yaml");
    expect(parsed.ok && parsed.value.map((p) => p.metadata.name)).toEqual(["a", "b"]);
  });

  test("takes pool bounds instead of a budget, but of both pools", () => {
    const bounded = `${HEAD}spec:
  objectives: { itl: { target: 30ms } }
  pools: { prefill: { replicas: { max: 4 } }, decode: { replicas: { max: 4 } } }
`;
    expect(problems(bounded)).toEqual([]);
    expect(problems(bounded.replace("decode: { replicas: { max: 4 } }", "decode: { replicas: { min: 1 } }"))).toEqual([
      "6:67: POLICY_NO_BOUND spec.pools.decode.replicas has no upper bound; write max here, or spec.budget.gpus for both pools",
    ]);
  });
});

/** Each mistake, where it is told, and how. */
const TABLE: readonly (readonly [what: string, text: string, told: readonly string[]])[] = [
  ["an empty file", "# nothing\n", ["1:1: POLICY_EMPTY the file holds no ScalingPolicy document; see docs/policy.md for the shortest one"]],
  [
    "broken YAML",
    `${HEAD}spec: [`,
    ["4:8: POLICY_SYNTAX Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
  ["a key given twice", `${GOOD}  budget: { gpus: 9 }\n`, ["7:3: POLICY_DUPLICATE_KEY this key stands twice in the same map; keep one"]],
  ["a policy given twice", `${GOOD}---\n${GOOD}`, ["10:19: POLICY_DUPLICATE_NAME a policy default/a stands earlier in this file"]],
  [
    "a misspelled field",
    spec("  behaviour: { interval: 5s }\n"),
    ['7:3: POLICY_UNKNOWN_FIELD spec has no field "behaviour"; did you mean behavior?'],
  ],
  [
    "a misspelled field deep inside",
    spec("  pools:\n    prefill:\n      replicas: { mix: 2 }\n"),
    ['9:19: POLICY_UNKNOWN_FIELD spec.pools.prefill.replicas has no field "mix"; did you mean min?'],
  ],
  [
    "a field from nowhere",
    spec("  pools: { prefill: { replicas: { zebra: 2 } } }\n"),
    ['7:35: POLICY_UNKNOWN_FIELD spec.pools.prefill.replicas has no field "zebra"; fields here are min, max'],
  ],
  [
    "a duration without unit",
    GOOD.replace("500ms", '"500"'),
    ['5:33: POLICY_UNIT spec.objectives.ttft.target: not a duration: "500"; write a number with a unit, for example 500ms, 90s or 5m'],
  ],
  [
    "a duration that is a list",
    spec("  behavior: { interval: [5s] }\n"),
    ["7:25: POLICY_UNIT spec.behavior.interval: write a duration with a unit, for example 500ms, 90s or 5m, not a list"],
  ],
  [
    "a share that is none",
    spec("  behavior: { scaleUp: { step: lots } }\n"),
    ['7:32: POLICY_UNIT spec.behavior.scaleUp.step: not a share: "lots"; write a percentage, for example 25%, or a number such as 0.25'],
  ],
  [
    "a number out of range",
    GOOD.replace("target: 500ms", "target: 500ms, quantile: 1"),
    ["5:50: POLICY_RANGE spec.objectives.ttft.quantile: must be less than 1, not 1"],
  ],
  [
    "a word that is not one of few",
    spec("  mode: live\n"),
    ['7:9: POLICY_VALUE spec.mode: write one of observe, enforce, paused, not "live"'],
  ],
  [
    "another kind of document",
    GOOD.replace("ScalingPolicy", "ConfigMap"),
    ['2:7: POLICY_VALUE kind: write one of ScalingPolicy, not "ConfigMap"'],
  ],
  [
    "a text where a number belongs",
    GOOD.replace("gpus: 8", "gpus: eight"),
    ['6:19: POLICY_TYPE spec.budget.gpus: expected number, found "eight"'],
  ],
  [
    "an empty section",
    GOOD.replace("budget: { gpus: 8 }", "budget:"),
    ["6:10: POLICY_TYPE spec.budget: expected object, found nothing; write {} or remove the field"],
  ],
  ["a missing required field", GOOD.replace("metadata: { name: a }", "metadata: {}"), ["3:1: POLICY_REQUIRED metadata.name is required"]],
  [
    "an objective without target",
    GOOD.replace("{ target: 500ms }", "{}"),
    ["5:17: POLICY_REQUIRED spec.objectives.ttft.target is required; write a duration with a unit, for example 500ms, 90s or 5m"],
  ],
  [
    "no objective",
    GOOD.replace("{ ttft: { target: 500ms } }", "{}"),
    ["5:15: POLICY_NO_OBJECTIVE spec.objectives names no target; write ttft: { target: 500ms } or itl: { target: 30ms }"],
  ],
  ["a target of zero", GOOD.replace("500ms", "0s"), ["5:33: POLICY_RANGE spec.objectives.ttft.target must be more than 0s"]],
  [
    "an interval that never ends",
    spec("  behavior: { interval: 0s }\n"),
    ["7:25: POLICY_RANGE spec.behavior.interval must lie between 100ms and 10m"],
  ],
  [
    "a maximum below its minimum",
    spec("  pools: { decode: { replicas: { min: 3, max: 2 } } }\n"),
    ["7:47: POLICY_RANGE spec.pools.decode.replicas.max is 2, below its min of 3"],
  ],
  [
    "ratio bounds crossed",
    spec("  ratio: { prefillPerDecode: { min: 5, max: 0.2 } }\n"),
    ["7:45: POLICY_RANGE spec.ratio.prefillPerDecode.max is 0.2, below its min of 5"],
  ],
  [
    "a budget below the minimums",
    spec("  pools: { prefill: { gpusPerReplica: 4 }, decode: { gpusPerReplica: 8 } }\n"),
    ["6:19: POLICY_BUDGET spec.budget.gpus is 8, but the pools' minimums alone need 12"],
  ],
  [
    "a schedule",
    spec('  schedule:\n    - { cron: "0 25 * * *", timezone: Mars/Olympus, for: 8d, prefill: { min: 9 } }\n'),
    [
      "8:7: POLICY_BUDGET spec.schedule[0] needs 10 GPUs, but spec.budget.gpus is 8",
      '8:15: POLICY_CRON spec.schedule[0].cron is not a cron expression: "25" is not a hour (0 to 23)',
      '8:39: POLICY_TIMEZONE spec.schedule[0].timezone "Mars/Olympus" is not a time zone; write for example Europe/Berlin',
      "8:58: POLICY_RANGE spec.schedule[0].for must be more than 0s and at most 7d",
    ],
  ],
  [
    "a floor for no pool",
    spec('  schedule: [{ cron: "0 8 * * *", for: 1h }]\n'),
    ["7:14: POLICY_REQUIRED spec.schedule[0] sets no floor; write prefill: { min: N } or decode: { min: N }"],
  ],
  ["nesting without end", "[".repeat(100_000), ["1:1: POLICY_SYNTAX nested deeper than any policy"]],
  ["lists in lists in one line", "- ".repeat(100_000), ["1:1: POLICY_SYNTAX nested deeper than any policy"]],
  [
    "a file that is too large",
    `# ${"x".repeat(1024 * 1024)}`,
    ["1:1: POLICY_TOO_LARGE the file is over 1 MiB; a policy file holds ScalingPolicy documents only"],
  ],
];

describe("mistakes are told with line and column", () => {
  test.each(TABLE)("%s", (_, text, told) => {
    expect(problems(text)).toEqual(told);
  });

  test("all of a file at once, in its order", () => {
    const text = GOOD.replace("500ms", "soon").replace("gpus: 8", "gpus: 0");
    expect(problems(text).map((p) => p.split(" ").slice(0, 2).join(" "))).toEqual(["5:33: POLICY_UNIT", "6:19: POLICY_RANGE"]);
  });

  test("through an alias, at the alias", () => {
    const text = `${HEAD}spec:\n  objectives: { ttft: &t { target: never }, itl: *t }\n  budget: { gpus: 8 }\n`;
    expect(problems(text).map((p) => p.split(" ")[0])).toEqual(["5:36:", "5:36:"]);
  });

  test("every code of the table is one of the documented ones, and only the ones tested elsewhere are left over", () => {
    const used = new Set(TABLE.flatMap(([, , told]) => told.map((t) => t.split(" ")[1] ?? "")));
    for (const code of used) expect(POLICY_CODES).toContain(code);
    expect(POLICY_CODES.filter((code) => !used.has(code))).toEqual(["POLICY_NO_BOUND", "POLICY_NO_TARGET", "POLICY_CONFLICT"]);
  });

  test("any text at all is answered, never thrown at", () => {
    for (const text of ["\0", "%YAML 9.9\n---\n", "a: *b", "? a", "!!binary x", "{".repeat(40), "---\n---\n", "\t- x", "a: &a [*a]"]) {
      expect(problems(text).length).toBeGreaterThan(0);
    }
  });
});

describe("a policy as JSON", () => {
  const value = {
    apiVersion: "fulcrum.dev/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "a" },
    spec: { objectives: { ttft: { target: 0.5 } }, budget: { gpus: 4 } },
  };

  test("takes numbers of seconds and fills in the defaults", () => {
    const parsed = policyFromJson(value);
    expect(parsed.ok && parsed.value.spec.objectives.ttft).toEqual({ quantile: 0.95, target: 0.5 });
  });

  test("names the path of a mistake", () => {
    const parsed = policyFromJson({ ...value, spec: { ...value.spec, budget: { gpu: 4 } } });
    expect(!parsed.ok && parsed.error).toEqual([
      { path: ["spec", "budget", "gpu"], code: "POLICY_UNKNOWN_FIELD", message: 'spec.budget has no field "gpu"; did you mean gpus?' },
    ]);
    expect(policyFromJson(null).ok).toBe(false);
    expect(policyFromJson("x").ok).toBe(false);
  });
});
