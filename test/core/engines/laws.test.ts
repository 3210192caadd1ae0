import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEnginePage, type EngineSample } from "../../../core/engines/page.ts";
import { createSeriesReader } from "../../../core/exposition/series-reader.ts";
import type { EngineKind, Role } from "../../../core/pool.ts";
import { fixture } from "../fixture.ts";

const PAGES = [
  ["vllm", "prefill", "vllm-main-2026-08-nixl-prefill-t1"],
  ["vllm", "decode", "vllm-main-2026-08-nixl-decode-t1"],
  ["vllm", "decode", "generated-vllm-multiprocess-dp2"],
  ["vllm", "aggregated", "generated-vllm-ray"],
  ["vllm", "aggregated", "generated-vllm-v0"],
  ["sglang", "prefill", "sglang-main-2026-08-prefill"],
  ["sglang", "decode", "sglang-main-2026-08-decode"],
  ["sglang", "aggregated", "generated-sglang-aggregated-dp2"],
  ["trtllm", "prefill", "generated-trtllm-dynamo-prefill"],
  ["dynamo-frontend", "frontend", "dynamo-frontend-main-2026-08"],
  ["dynamo-router", "frontend", "generated-dynamo-router"],
  ["dynamo-component", "decode", "generated-dynamo-component"],
  ["llm-d-epp", "frontend", "generated-llm-d-epp"],
] as const satisfies readonly (readonly [EngineKind, Role, string])[];

/** By name, so that a counterexample is short. */
const page = fc.constantFrom(...PAGES);
const textOf = (name: string): string => fixture(`engines/${name}.txt`);

type Values = ReadonlyMap<string, number>;

/** Everything a sample says, a number each; of a distribution its count and sum. */
function values({ counters, gauges, distributions }: EngineSample): Values {
  const all: [string, number][] = [...Object.entries(counters), ...Object.entries(gauges)];
  for (const [name, d] of Object.entries(distributions)) all.push([`${name} count`, d.count], [`${name} sum`, d.sum]);
  return new Map(all);
}

const familyOf = (line: string): string => line.replace(/[{ ].*$/, "").replace(/_(bucket|sum|count|created)$/, "");
const isSample = (line: string): boolean => line !== "" && !line.startsWith("#");

/** The page without what `drop` says, by line. */
const without = (text: string, drop: (line: string) => boolean): string =>
  text
    .split("\n")
    .filter((line) => !isSample(line) || !drop(line))
    .join("\n");

/** A share of names or lines, chosen by hash, so that a failing case shrinks to few. */
const chosen = (seed: number, share: number) => (text: string) => {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return ((hash >>> 8) & 0xff) / 256 < share;
};

/**
 * Signals for which a page of fewer families may well be a whole one of another configuration, and so says something else: tokens from share times
 * capacity; failures, whose counters SGLang creates with the first of their kind; waiting requests without the swapped ones of vLLM V0, and in a Dynamo frontend without a KV router those of the HTTP queue.
 */
const different = (engine: EngineKind, name: string): boolean =>
  name === "kvTokens" ||
  (name === "kvTransferFailures" && engine === "sglang") ||
  (name === "waiting" && (engine === "vllm" || engine === "dynamo-frontend"));

/** Failures of fewer kinds, which engines that do not publish all of them have: none of those there are, and the page says that it is old. */
const fewerKinds = (engine: EngineKind, name: string): boolean => engine === "vllm" && name === "kvTransferFailures";

describe("any part of a page", () => {
  it("by families gives what the whole page gives, or nothing, or says that the name is old; never a zero that is not one", () => {
    fc.assert(
      fc.property(page, fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), ([engine, role, file], seed, share) => {
        const text = textOf(file);
        const whole = values(createEnginePage(engine, role).read(text));
        const drop = chosen(seed, share);
        const reader = createEnginePage(engine, role);
        const part = values(reader.read(without(text, (line) => drop(familyOf(line)))));
        // An old name may mean a little less (failures of fewer kinds, tokens of ended requests only). Then the page says that it is old.
        const old = new Set<string>(reader.drift().old.map(({ signal }) => signal));
        for (const [name, value] of part) {
          const fewer = fewerKinds(engine, name) && old.has(name);
          if (value === 0 && !fewer) expect(`${name} ${whole.get(name)}`).toBe(`${name} 0`);
          if (!different(engine, name) && !old.has(name.replace(/ .*/, ""))) expect(`${name} ${value}`).toBe(`${name} ${whole.get(name)}`);
        }
      }),
      { numRuns: 150, examples: [[["vllm", "prefill", "vllm-main-2026-08-nixl-prefill-t1"], -1_273_403_383, 5e-324]] },
    );
  });

  it("by lines, after the whole page, never makes a counter or a histogram smaller", () => {
    fc.assert(
      fc.property(page, fc.integer(), fc.double({ min: 0, max: 0.3, noNaN: true }), ([engine, role, file], seed, share) => {
        const text = textOf(file);
        const reader = createEnginePage(engine, role);
        const whole = values(reader.read(text));
        const sample = reader.read(without(text, chosen(seed, share)));
        for (const [name, value] of values({ ...sample, gauges: {} })) expect(`${name} ${value}`).toBe(`${name} ${whole.get(name)}`);
        for (const [name, value] of Object.entries(sample.gauges))
          if (name !== "kvTokens") expect(`${name} ${value}`).toBe(`${name} ${whole.get(name)}`);
      }),
      { numRuns: 150 },
    );
  });
});

const label = fc.tuple(fc.stringMatching(/^[a-z_]{1,8}$/), fc.stringMatching(/^[ -!#-[\]-~]{0,12}$/));
const unknown = fc
  .record({
    name: fc.stringMatching(/^[a-z]{3}:[a-z_]{3,20}$/),
    labels: fc.uniqueArray(label, { selector: ([n]) => n, maxLength: 4 }),
    value: fc.double(),
  })
  .map(({ name, labels, value }) => {
    const text = Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
    return `${name}{${labels.map(([n, v]) => `${n}="${v}"`).join(",")}} ${text}`;
  });

describe("metrics that nobody knows", () => {
  it("change nothing, wherever they stand", () => {
    fc.assert(
      fc.property(page, fc.array(unknown, { minLength: 1, maxLength: 20 }), fc.integer(), ([engine, role, file], lines, seed) => {
        const text = textOf(file);
        const reader = createEnginePage(engine, role);
        const known = reader.read(text);
        const place = chosen(seed, 0.02);
        let next = 0;
        const mixed = text
          .split("\n")
          .flatMap((line) => (isSample(line) && place(line) ? [lines[next++ % lines.length] ?? "", line] : [line]));
        const sample = reader.read(mixed.join("\n"));
        expect({ ...sample, samples: 0, problems: [], problemCount: 0 }).toEqual({ ...known, samples: 0, problems: [], problemCount: 0 });
        expect(sample.problems.every((problem) => problem.code === "duplicate")).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("are looked at once: a page read again asks about none of them, and of a value nobody wants nothing is read", () => {
    let asked = 0;
    const reader = createSeriesReader<never>({
      resolve: () => {
        asked++;
        return undefined;
      },
      store: () => undefined,
    });
    const text = Array.from({ length: 1000 }, (_, i) => `some:thing_${i}{label="x"} not-a-number\n`).join("");
    expect(reader.read(text)).toMatchObject({ samples: 1000, problemCount: 0 });
    expect(reader.read(text)).toMatchObject({ samples: 1000, problemCount: 0 });
    expect(asked).toBe(1000);
  });
});
