import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ExpectedStarting, observationFromJson } from "../../wire/observation.ts";

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

  test("replicas that start since nobody says when start now, unless the reader knows better", () => {
    const written = { replicas: { ready: 2, starting: [{ age: 30 }, {}] } };
    const starting = (value: object, expected?: ExpectedStarting): unknown => {
      const result = observationFromJson(prefill(value), undefined, expected);
      return result.ok ? result.value.pools.prefill?.replicas?.starting : result.error;
    };
    expect(starting(written)).toEqual([{ age: 30 }, { age: 0 }]);
    const known: ExpectedStarting = (role, ready, at) =>
      role === "prefill" && ready === 2 && at === 100 ? [{ age: 50 }, { age: 40 }] : [];
    expect(starting(written, known)).toEqual([{ age: 30 }, { age: 40 }]);
    expect(starting({ replicas: { ready: 2 } }, known)).toEqual([{ age: 50 }, { age: 40 }]);
    expect(starting({ replicas: { ready: 2, starting: [] } }, known)).toEqual([]);
  });

  test("KV room is what the pool holds over the share that is, unless it is said or the share is too small to tell", () => {
    const room = (fields: object): unknown => {
      const written = { replicas: { ready: 4 }, running: { kvTokens: 400_000 }, kvUsage: 0.8, ...fields };
      const result = observationFromJson({ type: "observation", at: 1, pools: { decode: written } });
      return result.ok ? (result.value.pools.decode?.kvCapacityTokens ?? null) : result.error;
    };
    expect(room({})).toBe(125_000);
    expect(room({ kvCapacityTokens: 130_000 })).toBe(130_000);
    expect(room({ kvUsage: 0.01 })).toBeNull();
    expect(room({ kvUsage: undefined })).toBeNull();
    expect(room({ running: { kvTokens: 0 } })).toBeNull();
    expect(room({ replicas: { ready: 4, draining: 1 } })).toBeNull();
    expect(room({ replicas: { ready: 0 } })).toBeNull();
  });

  test("a KV share a little over one is full memory", () => {
    expect(read({ type: "observation", at: 1, pools: { decode: { kvUsage: 1.0000001 } } })).toMatchObject({
      pools: { decode: { kvUsage: 1 } },
    });
  });

  test("token sums follow from what else is there", () => {
    const interval = { seconds: 5, arrivals: 40, isl: { mean: 1300, p50: 1000 } };
    expect(read(prefill({ interval }))).toMatchObject({ pools: { prefill: { interval: { inputTokens: 52_000 } } } });
    expect(read(prefill({ interval: { ...interval, inputTokens: 7 } }))).toMatchObject({
      pools: { prefill: { interval: { inputTokens: 7 } } },
    });
    expect(read(prefill({ interval: { seconds: 5, arrivals: 0 } }))).toMatchObject({
      pools: { prefill: { interval: { inputTokens: 0 } } },
    });
    const steps = { count: 900, seconds: 14.9, sequences: 28_800, kvTokens: 4.5e7 };
    const decode = { interval: { seconds: 5, steps } };
    expect(read({ type: "observation", at: 1, pools: { decode } })).toMatchObject({
      pools: { decode: { interval: { outputTokens: 28_800 } } },
    });
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
