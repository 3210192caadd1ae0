import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatOf } from "../../../core/exposition/limits.ts";
import { readNumber } from "../../../core/exposition/number.ts";
import { parsePage, type Page } from "../../../core/exposition/parse.ts";
import { KEPT_PROBLEMS } from "../../../core/exposition/problems.ts";
import { fixture } from "../fixture.ts";

const labelsOf = (page: Page, i = 0): Record<string, string> => Object.fromEntries(page.samples[i]?.labels ?? []);
const one = (line: string): Page => parsePage(`${line}\n`);

describe("a sample line", () => {
  it("has a name, labels, a value and perhaps a timestamp", () => {
    const page = one('http_requests_total{method="post",code="200"} 1027 1395066363000');
    expect(page.samples).toHaveLength(1);
    expect(page.samples[0]).toMatchObject({ name: "http_requests_total", value: 1027, timestamp: 1395066363 });
    expect(labelsOf(page)).toEqual({ method: "post", code: "200" });
    expect(page.problems).toEqual([]);
  });

  it("may hold escapes, braces, commas and hashes inside a label value", () => {
    const page = one('m{path="C:\\\\DIR\\\\F.TXT",error="no \\"file\\"\\nhere",odd="a}b,c=\\"d # e",bare="\\q"} 1.5e3');
    expect(labelsOf(page)).toEqual({ path: "C:\\DIR\\F.TXT", error: 'no "file"\nhere', odd: 'a}b,c="d # e', bare: "\\q" });
    expect(page.samples[0]?.value).toBe(1500);
  });

  it("may be spaced freely, end with a comma, or write its name in quotes", () => {
    const page = parsePage('  m { a = "1" , b="2", }   3\r\nn\t4\n{"my.metric",x="y"} 5\n{"with \\"quote\\""} 6\nq{"odd label"="v"}7\n');
    expect(page.samples.map((s) => [s.name, s.value])).toEqual([
      ["m", 3],
      ["n", 4],
      ["my.metric", 5],
      ['with "quote"', 6],
      ["q", 7],
    ]);
    expect(labelsOf(page, 4)).toEqual({ "odd label": "v" });
    expect(page.problemCount).toBe(0);
  });

  it("knows NaN and both infinities", () => {
    const page = parsePage("a NaN\nb +Inf\nc -Inf\nd Inf\n");
    expect(page.samples.map((s) => s.value)).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it("may carry an OpenMetrics exemplar, which is not a timestamp", () => {
    const text = 'foo_bucket{le="0.1"} 8 # {trace_id="KOO5S4vxi0o"} 0.067 1520879607.789\nbar_total 17.0 1520879607.789 # {} 9.8\n# EOF\n';
    const page = parsePage(text, { format: "openmetrics" });
    expect(page.problems).toEqual([]);
    expect(page.samples[0]).not.toHaveProperty("timestamp");
    expect(page.samples[0]?.exemplar).toMatchObject({ value: 0.067, timestamp: 1520879607.789 });
    expect(page.samples[0]?.exemplar?.labels.get("trace_id")).toBe("KOO5S4vxi0o");
    expect(page.samples[1]).toMatchObject({ value: 17, timestamp: 1520879607.789 });
  });
});

describe("a broken line", () => {
  const cases: readonly [line: string, code: string, column: number][] = [
    ["9lives 1", "name", 1],
    ["foo-bar 1", "name", 4],
    ["foo", "value", 4],
    ["foo twelve", "value", 5],
    ["foo 0x1F", "value", 5],
    ["foo 1 2 3", "trailing", 9],
    ["foo 1 soon", "timestamp", 7],
    ['foo{a="1" 2', "labels", 11],
    ['foo{a="1} 2', "labels", 7],
    ["foo{a=1} 2", "labels", 7],
    ['foo{a="1",a="2"} 2', "labels", 12],
    ['foo{"bar"} 2', "name", 1],
    ['{a="b"} 2', "name", 1],
    ["foo 1 # no", "exemplar", 9],
  ];
  for (const [line, code, column] of cases) {
    it(`is located and skipped: ${line}`, () => {
      const page = parsePage(`good 1\n${line}\nalso_good 2\n`);
      expect(page.samples.map((s) => s.name)).toEqual(["good", "also_good"]);
      expect(page.problems).toHaveLength(1);
      expect(page.problems[0]).toMatchObject({ line: 2, code });
      // Where a label set ends too early the exact column is the scanner's choice; the others are pinned.
      if (code !== "labels" || column < 10) expect(page.problems[0]?.column).toBe(column);
    });
  }

  it("is counted beyond the number that is kept", () => {
    const page = parsePage("bad bad bad\n".repeat(100));
    expect(page.problems).toHaveLength(KEPT_PROBLEMS);
    expect(page.problemCount).toBe(100);
  });
});

describe("metadata", () => {
  it("is read per family, with escapes in help", () => {
    const page = parsePage("# HELP a Says \\\\ and\\nmore.\n# TYPE a counter\n# UNIT a seconds\n#a comment\n# TYPE b nonsense\n");
    expect(page.families.get("a")).toEqual({ help: "Says \\ and\nmore.", type: "counter", unit: "seconds" });
    expect(page.problems).toMatchObject([{ line: 5, code: "comment" }]);
  });

  it("ends an OpenMetrics page with # EOF, and says when that is missing or not the end", () => {
    expect(parsePage("a 1\n# EOF\nb 2\n")).toMatchObject({ samples: [{ name: "a" }], problems: [{ code: "after-eof", line: 3 }] });
    expect(parsePage("a 1\n", { format: "openmetrics" }).problems).toMatchObject([{ code: "no-eof" }]);
    expect(parsePage("a 1\n# EOF\nb 2\n", { format: "prometheus" }).samples).toHaveLength(2);
    expect(formatOf("application/openmetrics-text; version=1.0.0")).toBe("openmetrics");
    expect(formatOf("text/plain; version=0.0.4")).toBe("prometheus");
    expect(formatOf(undefined)).toBe("auto");
  });
});

describe("limits", () => {
  it("refuse a page that is too large and stop at too many samples", () => {
    const limits = { size: 100, samples: 2, labels: 1 };
    expect(parsePage("a 1\n".repeat(30), { limits })).toMatchObject({ samples: [], problems: [{ code: "too-large" }] });
    expect(parsePage("a 1\nb 2\nc 3\nd 4\n", { limits }).samples).toHaveLength(2);
    expect(parsePage("a 1\nb 2\nc 3\n", { limits }).problems).toMatchObject([{ code: "too-many-samples", line: 3 }]);
    expect(parsePage('a{b="1",c="2"} 1\n', { limits }).problems).toMatchObject([{ code: "labels" }]);
  });
});

describe("numbers", () => {
  it("are what Number() makes of them, to the last bit", () => {
    const token = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.integer().map((n) => `${n}.0`),
      fc.tuple(fc.nat(999_999_999), fc.nat(999_999)).map(([a, b]) => `${a}.${b}`),
      fc.constantFrom("-0", ".5", "5.", "+3", "1e308", "000123.4500", "123456789012345.6"),
    );
    fc.assert(
      fc.property(token, (text) => {
        const cursor = { at: 2 };
        const value = readNumber(`x ${text} 7`, cursor, text.length + 4);
        expect(Object.is(value, Number(text))).toBe(true);
        expect(cursor.at).toBe(2 + text.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("any text", () => {
  it("parses without throwing, and every line is a sample, a problem, a comment or blank", () => {
    const piece = fc.constantFrom("foo", "{", "}", '"', "\\", "=", ",", " ", "1", "NaN", "#", "# EOF", "\n", 'a="b"', "é", "\u0000", "-");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(piece, { maxLength: 40 }).map((p) => p.join("")),
        ),
        (text) => {
          const page = parsePage(text);
          const lines = text.split("\n").filter((line) => line.trim() !== "").length;
          expect(page.samples.length).toBeLessThanOrEqual(lines);
          for (const problem of page.problems) expect(problem.line).toBeGreaterThanOrEqual(1);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("the captured pages", () => {
  const pages = [
    "engines/vllm-main-2026-08-nixl-decode-t1.txt",
    "engines/sglang-main-2026-08-prefill.txt",
    "engines/dynamo-frontend-main-2026-08.txt",
    "gpu/dcgm-exporter-kops-l4-1.txt",
  ];
  it.each(pages)("%s has one sample per line and no problem", (name) => {
    const text = fixture(name);
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
    const page = parsePage(text);
    expect(page.problems).toEqual([]);
    expect(page.samples).toHaveLength(lines);
    for (const family of page.families.values()) expect(family.type).toBeDefined();
  });
});
