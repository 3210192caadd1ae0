import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePage } from "../../../core/exposition/parse.ts";
import { each, families } from "../../../fleet/engine/family.ts";
import { pythonNumber, rustNumber } from "../../../fleet/engine/number-text.ts";
import { Page, type PageStyle } from "../../../fleet/engine/page.ts";

const style: PageStyle = { number: pythonNumber, bound: pythonNumber, sum: "last", created: undefined, le: "sorted" };
const own = families("model_name");
const BOUNDS = [0.01, 0.1, 1, 10];
const page = (): Page =>
  new Page(
    [own.counter("a_total", "A.", each("kind", "x", "y")), own.gauge("b", "B."), own.histogram("c", "C.", BOUNDS)],
    { model_name: 'say "hi"\\' },
    style,
  );

describe("numbers as the libraries print them", () => {
  it.each([
    [0, "0.0"],
    [3, "3.0"],
    [0.5, "0.5"],
    [999_999, "999999.0"],
    [1_000_000, "1e+06"],
    [2_097_152, "2.097152e+06"],
    [61_471_981_568, "6.1471981568e+10"],
    [0.00005, "5e-05"],
    [-2.5, "-2.5"],
    [Infinity, "+Inf"],
    [Number.NaN, "NaN"],
  ])("prometheus_client: %d", (value, text) => expect(pythonNumber(value)).toBe(text));

  it.each([
    [12, "12"],
    [0.0161, "0.0161"],
    [1e21, "1000000000000000000000"],
    [5e-7, "0.0000005"],
  ])("Rust: %d", (value, text) => expect(rustNumber(value)).toBe(text));

  it("keep their value", () => {
    fc.assert(fc.property(fc.double({ noNaN: true }), (value) => Number(pythonNumber(value).replace("Inf", "Infinity")) === value));
  });
});

describe("a page", () => {
  it("shows a histogram as cumulative buckets that end at its count, and its sum", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { maxLength: 60 }), (samples) => {
        const one = page();
        for (const sample of samples) one.observe("c", sample);
        const seen = parsePage(one.render()).samples;
        const buckets = seen.filter(({ name }) => name === "c_bucket").map(({ value }) => value);
        expect(buckets).toEqual([...BOUNDS.map((bound) => samples.filter((sample) => sample <= bound).length), samples.length]);
        expect(seen.find(({ name }) => name === "c_count")?.value).toBe(samples.length);
        expect(seen.find(({ name }) => name === "c_sum")?.value).toBeCloseTo(
          samples.reduce((sum, sample) => sum + sample, 0),
          6,
        );
      }),
    );
  });

  it("tells its series apart by label and escapes label values", () => {
    const one = page();
    one.add("a_total", 2, "x");
    one.add("a_total", 3, "y");
    const seen = parsePage(one.render()).samples.filter(({ name }) => name === "a_total");
    expect(seen.map(({ value, labels }) => [labels.get("kind"), value])).toEqual([
      ["x", 2],
      ["y", 3],
    ]);
    expect(seen[0]?.labels.get("model_name")).toBe('say "hi"\\');
  });

  it("refuses what would be a bug: a counter that falls, a series that is not there, the wrong kind", () => {
    expect(() => page().add("a_total", -1, "x")).toThrow(/cannot add -1/);
    expect(() => page().add("a_total", 1, "z")).toThrow(/no series a_total z/);
    expect(() => page().set("a_total", 1, "x")).toThrow(/cannot set counter/);
    expect(() => page().observe("b", 1)).toThrow(/cannot observe gauge/);
  });
});
