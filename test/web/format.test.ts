import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bandwidthAxis, countAxis, latencyAxis, percentAxis, tick } from "../../web/axis.ts";
import { figure } from "../../web/figures.ts";
import {
  attainment,
  bandwidth,
  compact,
  count,
  digits,
  type Format,
  GAP,
  gpus,
  latency,
  percent,
  replicas,
  show,
  span,
  tokenRate,
  watts,
} from "../../web/format.ts";

/** Plain spaces, for reading. */
const plain = (text: string): string => text.replaceAll(GAP, " ");
const said = (format: Format, values: readonly number[]): readonly string[] => values.map((v) => plain(format(v)));

describe("an absent value", () => {
  it("is a dash, never a zero", () => {
    for (const value of [null, undefined, Number.NaN, Infinity]) expect(show(value, latency)).toEqual({ text: "—", absent: true });
  });

  it("is not a zero, and a zero is not absent", () => {
    expect(show(0, replicas)).toEqual({ text: `0${GAP}replicas`, absent: false });
  });
});

describe("numbers", () => {
  it("of latency go from ms to minutes", () => {
    expect(said(latency, [0, 0.00042, 0.0123, 0.4126, 0.9996, 1.234, 12.34, 75])).toEqual([
      "0 ms",
      "0.42 ms",
      "12.3 ms",
      "413 ms",
      "1.00 s",
      "1.23 s",
      "12.3 s",
      "1 min 15 s",
    ]);
  });

  it("of ages", () => {
    expect(said(span, [0.4, 59, 60, 61, 3600, 7260])).toEqual(["0 s", "59 s", "1 min", "1 min 1 s", "1 h 0 min", "2 h 1 min"]);
  });

  it("of bandwidth are decimal", () => {
    expect(said(bandwidth, [0, 512, 1500, 2.5e6, 12.34e9, 999.9e6, 3e12])).toEqual([
      "0 B/s",
      "512 B/s",
      "1.50 kB/s",
      "2.50 MB/s",
      "12.3 GB/s",
      "1.00 GB/s",
      "3.00 TB/s",
    ]);
  });

  it("of attainment are rounded down: nearly all is not all", () => {
    expect(said(attainment, [1, 0.9999, 0.99, 0.29, 0])).toEqual(["100 %", "99.9 %", "99.0 %", "29.0 %", "0.0 %"]);
  });

  it("of shares, counts, rates and power carry their unit", () => {
    expect(said(percent, [0, 0.034, 0.612, 1])).toEqual(["0 %", "3.4 %", "61 %", "100 %"]);
    expect(said(gpus, [0, 1, 2, 2.5])).toEqual(["0 GPUs", "1 GPU", "2 GPUs", "2.5 GPUs"]);
    expect(said(count("seq"), [256])).toEqual(["256 seq"]);
    expect(said(tokenRate, [950, 9999, 12_345, 1_020_000])).toEqual(["950 tok/s", "10.0k tok/s", "12.3k tok/s", "1.02M tok/s"]);
    expect(said(watts, [448.4, 12_000])).toEqual(["448 W", "12.0 kW"]);
  });

  it("stay within half a unit of their last digit, without exponent", () => {
    fc.assert(
      fc.property(fc.double({ min: -999_000, max: 999_000, noNaN: true }), (value) => {
        const text = digits(value);
        expect(text).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(Math.max(0.005, Math.abs(value) * 0.0051));
      }),
    );
  });

  it("keep their size through compact", () => {
    expect(said(compact, [0, 7, 999, 1000, 999_600])).toEqual(["0", "7", "999", "1.00k", "1.00M"]);
  });
});

describe("axes", () => {
  it("choose the unit by the largest value shown", () => {
    expect([latencyAxis(0.4).label, latencyAxis(2).label, bandwidthAxis(5e8).label, bandwidthAxis(2e9).label]).toEqual([
      "ms",
      "s",
      "MB/s",
      "GB/s",
    ]);
    expect([countAxis("tok/s")(900).label, countAxis("tok/s")(60_000).label]).toEqual(["tok/s", "k tok/s"]);
  });

  it("write ticks with just the decimals of their step", () => {
    expect([
      tick(0.1, 0.1, latencyAxis(0.4)),
      tick(0.5, 0.5, latencyAxis(2)),
      tick(0.25, 0.25, percentAxis(1)),
      tick(2.5e9, 5e8, bandwidthAxis(3e9)),
    ]).toEqual(["100", "0.5", "25", "2.5"]);
  });
});

describe("figures behind a reason", () => {
  it("read the unit at the end of the name", () => {
    const read = (name: string, value: number) => {
      const { label, value: text } = figure(name, value);
      return `${label}: ${plain(text)}`;
    };
    expect(read("demandTokensPerSecond", 12_345)).toBe("demand: 12.3k tok/s");
    expect(read("ttft_seconds", 0.41)).toBe("ttft: 410 ms");
    expect(read("batchMs", 9.1)).toBe("batch: 9.10 ms");
    expect(read("linkBytesPerSecond", 2e9)).toBe("link: 2.00 GB/s");
    expect(read("waitingRequests", 3)).toBe("waiting: 3 req");
    expect(read("coverage", 0.5)).toBe("coverage: 50 %");
    expect(read("budgetGpus", 1)).toBe("budget: 1 GPU");
    expect(read("utilization", 0.86)).toBe("utilization: 86 %");
    expect(read("utilization", 1e9)).toBe("utilization: over 1000 %");
    expect(read("steps", 3)).toBe("steps: 3");
    expect(read("gain", 1.234)).toBe("gain: 1.23");
  });
});
