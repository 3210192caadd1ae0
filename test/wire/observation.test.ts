import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { observationFromJson } from "../../wire/observation.ts";

const read = (value: unknown, previousAt?: number): unknown => {
  const result = observationFromJson(value, previousAt);
  return result.ok ? result.value : result.error;
};
const prefill = (fields: object): object => ({ type: "observation", at: 100, pools: { prefill: fields } });

describe("observations as other programs write them", () => {
  test("what is missing or null stays absent", () => {
    expect(read({ type: "observation", at: 1, pools: {} })).toEqual({ type: "observation", at: 1, pools: {} });
    expect(read({ type: "observation", at: 1, pools: { prefill: null, decode: { kvUsage: null } }, transfer: null })).toEqual({
      type: "observation",
      at: 1,
      pools: { decode: {} },
    });
  });

  test("unknown fields are ignored", () => {
    expect(read({ ...prefill({ mine: 1, queue: { requests: 2, mine: 3 } }), mine: 4 })).toEqual(prefill({ queue: { requests: 2 } }));
  });

  test("a figure in parts is absent as a whole", () => {
    const interval = { seconds: 5, batches: { count: 1, tokens: 100 }, ttft: { count: 3, p50: 0.1 }, isl: { mean: 10 } };
    expect(read(prefill({ interval, evidence: { age: 1 }, replicas: { draining: 1 } }))).toEqual(prefill({ interval: { seconds: 5 } }));
  });

  test("a driver that counts ready replicas and names no others has no others", () => {
    expect(read(prefill({ replicas: { ready: 2 } }))).toEqual(prefill({ replicas: { ready: 2, starting: [], draining: 0 } }));
  });

  test("a missing quantile is read as the next higher one", () => {
    const ttft = { count: 4, mean: 0.2, p50: 0.1, p95: 0.5 };
    expect(read(prefill({ interval: { seconds: 5, ttft } }))).toEqual(
      prefill({ interval: { seconds: 5, ttft: { ...ttft, p90: 0.5, p99: 0.5 } } }),
    );
  });

  test("an interval without its length took as long as passed since the last observation", () => {
    const written = prefill({ interval: { arrivals: 3 } });
    expect(read(written)).toEqual(prefill({}));
    expect(read(written, 92)).toEqual(prefill({ interval: { seconds: 8, arrivals: 3 } }));
    expect(read(written, 100)).toEqual(prefill({}));
  });

  test.each([
    [{ type: "observation", pools: {} }, "at"],
    [{ type: "observation", at: 1 }, "pools"],
    [prefill({ replicas: { ready: 1.5 } }), "pools.prefill.replicas.ready"],
    [prefill({ queue: { tokens: "5" } }), "pools.prefill.queue.tokens"],
    [prefill({ interval: { seconds: 0 } }), "pools.prefill.interval.seconds"],
    [prefill({ replicas: { ready: 1, starting: [{ age: -1 }] } }), "pools.prefill.replicas.starting.0.age"],
    [{ type: "observation", at: 1, pools: { decode: { kvUsage: 1.1 } } }, "pools.decode.kvUsage"],
  ])("%j is refused with the field", (value, field) => {
    expect(read(value)).toEqual([{ field, message: expect.any(String) }]);
  });

  test("whatever JSON comes in, the answer is a value and reading it again changes nothing", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (pool, decode) => {
        const result = observationFromJson({ type: "observation", at: 5, pools: { prefill: pool, decode } });
        if (!result.ok) return;
        expect(observationFromJson(JSON.parse(JSON.stringify(result.value)))).toEqual(result);
      }),
    );
  });
});
