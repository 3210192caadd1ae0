import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PageLimits } from "../../../core/exposition/limits.ts";
import { parsePage } from "../../../core/exposition/parse.ts";
import { createSeriesReader, type PageRead, type SeriesReader } from "../../../core/exposition/series-reader.ts";
import { vllmPage } from "../../bench/vllm-page.ts";

const idOf = (name: string, labels: ReadonlyMap<string, string>): string => `${name}${JSON.stringify([...labels])}`;

interface Recorder {
  readonly reader: SeriesReader;
  readonly resolved: string[];
  read(text: string): { values: Map<string, number>; page: PageRead };
}

/** Wants every series whose name does not start with "x". */
function recorder(limits?: PageLimits): Recorder {
  const resolved: string[] = [];
  let values = new Map<string, number>();
  const reader = createSeriesReader<string>({
    resolve(name, labels) {
      resolved.push(idOf(name, labels));
      return name.startsWith("x") ? undefined : idOf(name, labels);
    },
    store: (slot, value) => values.set(slot, value),
    ...(limits === undefined ? {} : { limits }),
  });
  return {
    reader,
    resolved,
    read(text) {
      values = new Map();
      const page = reader.read(text);
      return { values, page };
    },
  };
}

describe("a series reader", () => {
  it("resolves a series once and only stores values from then on", () => {
    const r = recorder();
    expect(r.read('a{l="1"} 1\nxunwanted 5\nb 2\n').values).toEqual(
      new Map([
        ['a[["l","1"]]', 1],
        ["b[]", 2],
      ]),
    );
    expect(r.read('a{l="1"} 10\nxunwanted 6\nb 20\n').values).toEqual(
      new Map([
        ['a[["l","1"]]', 10],
        ["b[]", 20],
      ]),
    );
    expect(r.resolved).toEqual(['a[["l","1"]]', "xunwanted[]", "b[]"]);
  });

  it("finds series again when the page is reordered, grows or shrinks", () => {
    const r = recorder();
    r.read("a 1\nb 2\nc 3\n");
    expect([...r.read("c 30\nnew 4\na 10\n").values]).toEqual([
      ["c[]", 30],
      ["new[]", 4],
      ["a[]", 10],
    ]);
    expect([...r.read("a 5\nb 6\nc 7\n").values.values()]).toEqual([5, 6, 7]);
    expect(r.resolved).toEqual(["a[]", "b[]", "c[]", "new[]"]);
  });

  it("does not take a longer name, or a name with a label set apart from it, for the one it expects", () => {
    const r = recorder();
    r.read("a 1\nab 2\n");
    expect([...r.read("ab 3\n").values]).toEqual([["ab[]", 3]]);
    expect([...r.read('a {l="1"} 4\n').values]).toEqual([['a[["l","1"]]', 4]]);
  });

  it("keeps the first of a series that stands twice and says so", () => {
    const { values, page } = recorder().read("a 1\na 2\n");
    expect(values.get("a[]")).toBe(1);
    expect(page.problems).toMatchObject([{ code: "duplicate", line: 2, column: 1 }]);
  });

  it("forgets series that are gone for good", () => {
    const r = recorder();
    for (let round = 0; round < 50; round++) r.read(Array.from({ length: 500 }, (_, i) => `m{pod="${round}-${i}"} ${i}\n`).join(""));
    expect(r.reader.cached()).toBeLessThanOrEqual(2 * 500 + 1000);
    r.read("m 1\n");
    expect(r.reader.cached()).toBeLessThanOrEqual(2 * 1 + 1000);
  });

  it("keeps the page limits", () => {
    const r = recorder({ size: 50, samples: 2, labels: 4 });
    expect(r.read("a 1\nb 2\nc 3\n").page.problems).toMatchObject([{ code: "too-many-samples", line: 3 }]);
    expect(r.read("a 1\n".repeat(20)).page).toMatchObject({ samples: 0, problems: [{ code: "too-large", line: 0 }] });
  });
});

describe("with and without cache", () => {
  const label = fc.constantFrom("", '{l="1"}', '{l="2",m="a}b"}', '{m="q\\"z"}', ' {l="1"}', "{", '{l="1"');
  const value = fc.constantFrom("1", "2.5", "NaN", "1e3", "nope", "", "7 123", '3 # {t="x"} 1', "-0.25");
  const line = fc.oneof(
    { weight: 9, arbitrary: fc.tuple(fc.constantFrom("a", "b", "ab", "c:d", "9"), label, value).map(([n, l, v]) => `${n}${l} ${v}`) },
    { weight: 1, arbitrary: fc.constantFrom("", "# HELP a b", "# TYPE a gauge", "  ", "\r") },
  );
  const page = fc.array(line, { maxLength: 15 }).map((lines) => lines.join("\n"));

  it("every page reads the same, problems included", () => {
    fc.assert(
      fc.property(fc.array(page, { minLength: 2, maxLength: 6 }), (pages) => {
        const warm = recorder();
        for (const text of pages) {
          const cached = warm.read(text);
          const fresh = recorder().read(text);
          expect(cached.values).toEqual(fresh.values);
          expect(cached.page).toEqual(fresh.page);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("agrees with the full parser on every wanted sample", () => {
    fc.assert(
      fc.property(page, (text) => {
        const expected = new Map<string, number>();
        const full = parsePage(text);
        for (const { name, labels, value } of full.samples) {
          const id = idOf(name, labels);
          if (!expected.has(id)) expected.set(id, value);
        }
        const { values } = recorder().read(text);
        // `a{l="1"}` and `a {l="1"}` are two texts of one series: the reader stores both, the later value last.
        expect([...values.keys()].sort()).toEqual([...expected.keys()].sort());
      }),
      { numRuns: 1000 },
    );
  });

  it("agrees on a page of 9 000 samples, read three times with other values", () => {
    const r = recorder();
    for (const add of ["", "1", "2"]) {
      const text = vllmPage(20).replaceAll(/ (\d+)\.0$/gm, ` $1${add}.0`);
      const { values, page } = r.read(text);
      const full = parsePage(text);
      expect(page.problems).toEqual([]);
      expect(page.samples).toBe(full.samples.length);
      expect(values).toEqual(new Map(full.samples.filter((s) => !s.name.startsWith("x")).map((s) => [idOf(s.name, s.labels), s.value])));
    }
  });

  it("any text reads without throwing, again and again", () => {
    const r = recorder();
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(r.read(text).page.samples).toBeLessThanOrEqual(text.split("\n").length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what a reader remembers", () => {
  it("is bounded in text, not only in entries: huge labels that change are let go", () => {
    const r = recorder();
    for (let i = 0; i < 20; i++) r.read(`a{l="${"y".repeat(500_000)}${i}"} 1\n`);
    expect(r.reader.cached()).toBeLessThan(6);
  });

  it("does not hang together: a window of series that slides over the page, newest first, leaves nothing behind", async () => {
    const dead: WeakRef<object>[] = [];
    const reader = createSeriesReader<object>({
      resolve() {
        const slot = {};
        dead.push(new WeakRef(slot));
        return slot;
      },
      store: () => undefined,
    });
    for (let i = 1; i <= 20_000; i++) reader.read(`a{i="${i}"} 1\na{i="${i - 1}"} 1\n`);
    // What a WeakRef was made of lives to the end of its task.
    await new Promise((resolve) => setImmediate(resolve));
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    setFlagsFromString("--no-expose-gc");
    // The reader is still in use.
    expect(reader.read('a{i="0"} 1\n').samples).toBe(1);
    expect(dead.filter((slot) => slot.deref() !== undefined).length).toBeLessThan(dead.length / 2);
  });
});
