import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSketch } from "../../../core/sketch/builder.ts";
import { decodeSketch, encodeSketch } from "../../../core/sketch/codec.ts";
import { emptySketch } from "../../../core/sketch/exponential.ts";
import { sketch, sketchOf } from "./arbitraries.ts";

describe("the sketch codec", () => {
  it("brings back what it wrote", () => {
    fc.assert(
      fc.property(sketch, (data) => {
        expect(decodeSketch(encodeSketch(data))).toEqual({ ok: true, value: data });
      }),
    );
    expect(decodeSketch(encodeSketch(emptySketch(3)))).toEqual({ ok: true, value: emptySketch(3) });
  });

  it("keeps fractional and very large counts", () => {
    const builder = createSketch();
    builder.add(0.5, 2.25);
    builder.add(3, 2 ** 40);
    const data = builder.toData();
    expect(decodeSketch(encodeSketch(data))).toEqual({ ok: true, value: data });
  });

  it("is small: a spread of latencies costs little more than a byte a bucket", () => {
    const data = sketchOf(Array.from({ length: 1000 }, (_, i) => 0.01 * 1.01 ** (i % 300)));
    expect(encodeSketch(data).length).toBeLessThan(40 + 2 * data.counts.length);
  });

  it("answers every other sequence of bytes with an error and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const decoded = decodeSketch(bytes);
        if (!decoded.ok) expect(decoded.error.offset).toBeLessThanOrEqual(bytes.length);
        else expect(encodeSketch(decoded.value).length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses every shortened message as truncated and every lengthened one as trailing", () => {
    const bytes = encodeSketch(sketchOf([0, 0.2, 0.3, 7]));
    for (let n = 0; n < bytes.length; n++)
      expect(decodeSketch(bytes.subarray(0, n))).toMatchObject({ ok: false, error: { code: "truncated" } });
    expect(decodeSketch(new Uint8Array([...bytes, 0]))).toMatchObject({ ok: false, error: { code: "trailing", offset: bytes.length } });
    expect(decodeSketch(new Uint8Array([9, ...bytes.subarray(1)]))).toMatchObject({ ok: false, error: { code: "version" } });
  });

  it("refuses a forged bucket count before allocating for it", () => {
    // version, flags, scale 0, offset 0, then 2^28 buckets
    expect(decodeSketch(new Uint8Array([1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 1]))).toMatchObject({ ok: false, error: { code: "range" } });
  });
});
