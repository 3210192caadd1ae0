import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStitcher } from "../../../scaler/intake/stitch.ts";
import { half } from "../support/reports.ts";

const prefill = (trace: string, start = 100) => half({ trace, role: "prefill", start, queue: 0.1, prefill: 0.2 });
const decode = (trace: string, start = 100.4) => half({ trace, role: "decode", pool: "decode", start, firstToken: 0.1, kvTransfer: 0.05 });

describe("stitching the halves of a request", () => {
  test("TTFT runs from prefill arrival to the first decoded token, and its parts add up", () => {
    const stitcher = createStitcher();
    expect(stitcher.add(prefill("t"), "p", 101, 1)).toBeUndefined();
    const joined = stitcher.add(decode("t"), "d", 103, 3);
    expect(joined).toMatchObject({
      prefillPool: "prefill",
      sourceNode: "p",
      targetNode: "d",
      decodePool: "decode",
      namespace: "demo",
      queue: 0.1,
      prefill: 0.2,
      transfer: 0.05,
    });
    expect(joined?.ttft).toBeCloseTo(0.5, 9);
    expect(joined?.firstDecode).toBeCloseTo(0.15, 9);
    // By the decode node's clock: its report was made 2.5 s after the first token.
    expect(joined?.age).toBeCloseTo(2.5, 9);
    expect(stitcher.counts()).toEqual({ stitched: 1, expired: 0, impossible: 0, pending: 0 });
  });

  test("every request is joined exactly once, in whatever order its halves come", () => {
    const order = fc.uniqueArray(fc.nat(30), { minLength: 1 }).chain((ids) =>
      fc.shuffledSubarray(
        ids.flatMap((id) => [prefill(`t${id}`), decode(`t${id}`)]),
        { minLength: ids.length * 2, maxLength: ids.length * 2 },
      ),
    );
    fc.assert(
      fc.property(order, (halves) => {
        const stitcher = createStitcher();
        const joined = halves.map((h) => stitcher.add(h, "node", 101, 1)).filter((j) => j !== undefined);
        expect(joined.length).toBe(halves.length / 2);
        expect(stitcher.counts().pending).toBe(0);
      }),
    );
  });

  test("a part nobody measured stays unknown; then so does what is left", () => {
    const stitcher = createStitcher();
    stitcher.add(half({ trace: "t", role: "prefill", start: 100, queue: 0.1 }), "node", 101, 1);
    expect(stitcher.add(decode("t"), "node", 101, 1)).toMatchObject({ prefill: undefined, firstDecode: undefined });
  });

  test("the number of waiting halves is bounded and the oldest leaves first; old ones time out", () => {
    const stitcher = createStitcher({ pending: 2, timeout: 10 });
    for (const trace of ["a", "b", "c"]) stitcher.add(prefill(trace), "node", 101, 1);
    expect(stitcher.counts()).toMatchObject({ pending: 2, expired: 1 });
    expect(stitcher.add(decode("a"), "node", 101, 1)).toBeUndefined();
    expect(stitcher.add(decode("c"), "node", 101, 1)).toBeDefined();
    stitcher.add(prefill("late"), "node", 120, 20);
    expect(stitcher.counts()).toMatchObject({ pending: 1, stitched: 1 });
  });

  test("halves that contradict each other are counted, not believed", () => {
    const stitcher = createStitcher();
    stitcher.add(prefill("clock", 500), "node", 501, 1);
    expect(stitcher.add(decode("clock", 100), "node", 501, 1)).toBeUndefined();
    stitcher.add(prefill("silent"), "node", 501, 1);
    expect(stitcher.add(half({ trace: "silent", role: "decode", start: 101 }), "node", 501, 1)).toBeUndefined();
    expect(stitcher.counts()).toMatchObject({ impossible: 2, stitched: 0 });
  });

  test("the same trace id in two namespaces is two requests; a retried half replaces the first", () => {
    const stitcher = createStitcher();
    stitcher.add(prefill("t"), "node", 101, 1);
    expect(stitcher.add({ ...decode("t"), namespace: "other" }, "node", 101, 1)).toBeUndefined();
    stitcher.add(prefill("t", 100.3), "node", 101, 1);
    expect(stitcher.add(decode("t"), "node", 101, 1)?.ttft).toBeCloseTo(0.2, 9);
  });
});
