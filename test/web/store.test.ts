import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EMPTY, framesOf, LIMITS, type Model, policyOf, reduce } from "../../web/store.ts";
import type { PageDecision, PageFrame, PageMessage, PagePolicy, PageState } from "../../wire/page.ts";

const policy = (name: string, namespace = "serving"): PagePolicy => ({
  name,
  namespace,
  mode: "enforce",
  override: null,
  model: null,
  objectives: { ttft: null, itl: null },
  budgetGpus: null,
  gpusAllocated: null,
  lastDecision: null,
});
const state = (...names: string[]): PageState => ({
  at: 0,
  version: "0",
  policies: names.map((n) => policy(n)),
  agents: [],
  leader: null,
  problems: [],
  links: [],
  notices: [],
});
const frame = (at: number, name = "a", transfer: PageFrame["transfer"] = null): PageFrame => ({
  at,
  policy: name,
  ttft: null,
  itl: null,
  pools: [],
  transfer,
  predicted: { ttft: null, itl: null },
});
const decision = (at: number, prefill = 1, outcome: PageDecision["outcome"] = "unchanged", name = "a"): PageDecision => ({
  policy: name,
  outcome,
  decision: {
    type: "decision",
    at,
    pools: { prefill: { replicas: prefill }, decode: { replicas: 1 } },
    moves: [],
    predicted: {},
    reasons: [],
    hold: false,
  },
});
const say = (frames: readonly PageFrame[], decisions: readonly PageDecision[] = [], from: Model = EMPTY): Model => {
  const messages: PageMessage[] = [
    ...frames.map((f) => ({ type: "frame" as const, frame: f, state: state("a", "b") })),
    ...decisions.map((d) => ({ type: "decision" as const, decision: d })),
  ];
  return messages.reduce(reduce, from);
};
const times = (model: Model, name = "a"): readonly number[] => (model.frames.get(name) ?? []).map((f) => f.at);
const decided = (model: Model): readonly number[] => model.decisions.map((d) => d.decision.at);

describe("frames", () => {
  it("stand in the order of their time, each time once, however they arrive", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 500 })), (ats) => {
        expect(times(say(ats.map((at) => frame(at))))).toEqual([...new Set(ats)].sort((a, b) => a - b));
      }),
    );
  });

  it("hold an hour and no more", () => {
    const model = say([frame(0), frame(1), frame(LIMITS.historySeconds), frame(LIMITS.historySeconds + 1)]);
    expect(times(model)).toEqual([1, LIMITS.historySeconds, LIMITS.historySeconds + 1]);
  });

  it("are bounded in number too", () => {
    const history = Array.from({ length: LIMITS.framesPerPolicy + 50 }, (_, i) => frame(i / 10));
    const model = reduce(EMPTY, { type: "snapshot", state: state("a"), history, decisions: [] });
    expect(times(model)).toHaveLength(LIMITS.framesPerPolicy);
    expect(times(model).at(-1)).toBe(history.at(-1)?.at);
    expect(times(say([frame(800)], [], model))).toHaveLength(LIMITS.framesPerPolicy);
  });

  it("replace an earlier frame of the same time", () => {
    const model = say([frame(1), frame(2), frame(1, "a", { bytesPerSecond: 7, failures: 0 })]);
    expect(model.frames.get("a")?.[0]?.transfer?.bytesPerSecond).toBe(7);
  });

  it("of two policies stay apart, and leave with their policy", () => {
    const both = say([frame(1, "a"), frame(1, "b"), frame(2, "b")]);
    expect([times(both, "a"), times(both, "b")]).toEqual([[1], [1, 2]]);
    const one = reduce(both, { type: "frame", frame: frame(3, "b"), state: state("b") });
    expect([times(one, "a"), times(one, "b")]).toEqual([[], [1, 2, 3]]);
  });

  it("of more policies than the page holds are not kept", () => {
    const many = Array.from({ length: LIMITS.policies + 5 }, (_, i) => frame(1, `p${i}`));
    const model = reduce(EMPTY, { type: "snapshot", state: state(), history: many, decisions: [] });
    expect(model.frames.size).toBe(LIMITS.policies);
  });

  it("without a time are ignored", () => {
    expect(times(say([frame(1), frame(Number.NaN)]))).toEqual([1]);
  });
});

describe("decisions", () => {
  it("stand newest first, each once, at most the limit, however they arrive", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 120 }), (ats) => {
        const unique = [...new Set(ats)].sort((a, b) => b - a);
        expect(
          decided(
            say(
              [],
              ats.map((at) => decision(at)),
            ),
          ),
        ).toEqual(unique);
      }),
    );
  });

  it("that changed nothing leave first", () => {
    const quiet = Array.from({ length: LIMITS.decisions + 100 }, (_, i) => decision(i + 10, 2));
    const model = say([], [decision(1, 1), decision(2, 2, "applied"), ...quiet]);
    expect(model.decisions).toHaveLength(LIMITS.decisions);
    expect(decided(model).at(-1)).toBe(2);
    expect(decided(model)[0]).toBe(LIMITS.decisions + 109);
  });

  it("are bounded when each one is a change", () => {
    const busy = Array.from({ length: LIMITS.decisions + 20 }, (_, i) => decision(i, i % 7, "applied"));
    const model = reduce(EMPTY, { type: "snapshot", state: state("a"), history: [], decisions: busy });
    expect(decided(model)).toEqual(Array.from({ length: LIMITS.decisions }, (_, i) => LIMITS.decisions + 19 - i));
  });
});

describe("a snapshot", () => {
  it("replaces everything known before", () => {
    const before = say([frame(1), frame(1, "b")], [decision(1)]);
    const after = reduce(before, {
      type: "snapshot",
      state: state("a"),
      history: [frame(9), frame(8)],
      decisions: [decision(8), decision(9)],
    });
    expect([...after.frames.keys()]).toEqual(["a"]);
    expect(times(after)).toEqual([8, 9]);
    expect(decided(after)).toEqual([9, 8]);
  });

  it("says the same as its frames and decisions one by one", () => {
    const at = fc.integer({ min: 0, max: 8000 });
    fc.assert(
      fc.property(fc.array(at), fc.array(at), (f, d) => {
        const frames = f.map((t) => frame(t)).sort((x, y) => x.at - y.at);
        const decisions = d.map((t) => decision(t));
        const whole = reduce(EMPTY, { type: "snapshot", state: state("a", "b"), history: frames, decisions });
        const parts = say(frames, decisions);
        expect(times(whole)).toEqual(times(parts));
        expect(decided(whole)).toEqual(decided(parts));
      }),
    );
  });
});

describe("what the page does not know", () => {
  it("a message type of a newer scaler changes nothing", () => {
    const model = say([frame(1)]);
    expect(reduce(model, JSON.parse('{"type":"weather"}') as PageMessage)).toBe(model);
  });

  it("a policy that is gone gives way to the first", () => {
    const model = reduce(EMPTY, { type: "snapshot", state: state("a", "b"), history: [], decisions: [] });
    expect(policyOf(model, "serving/b")?.name).toBe("b");
    expect(policyOf(model, "serving/gone")?.name).toBe("a");
    expect(policyOf(EMPTY, null)).toBeNull();
  });

  it("frames are found by name, or by namespace and name where names repeat", () => {
    const history = [frame(1, "x/a"), frame(2, "y/a"), frame(3, "b")];
    const policies = [policy("a", "x"), policy("a", "y"), policy("b", "y")];
    const model = reduce(EMPTY, { type: "snapshot", state: { ...state(), policies }, history, decisions: [] });
    expect(policies.map((p) => framesOf(model, p)[0]?.at)).toEqual([1, 2, 3]);
    const next = reduce(model, { type: "frame", frame: frame(4, "x/a"), state: { ...state(), policies } });
    expect([...next.frames.keys()]).toEqual(["x/a", "y/a", "b"]);
  });
});
