import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { bytes, tokens, tokensPerSecond } from "../../../core/units.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import type { Prior } from "../../../scaler/decide/controller.types.ts";
import { localCapacity } from "../../../scaler/decide/local-prefill.ts";
import { predict, type Situation } from "../../../scaler/decide/predict.ts";
import { search, searchBeside, type Bounds, type Targets } from "../../../scaler/decide/search.ts";
import { h200Prior, observationOf, testPolicy, type Load } from "../../support/observations.ts";

/** Powers of two change no rounding but that of logarithms. */
const unit = fc.constantFrom(0.125, 0.5, 2, 16, 1024);

const system = fc.record({
  rate: fc.double({ min: 1, max: 60, noNaN: true }),
  isl: fc.integer({ min: 100, max: 8000 }),
  osl: fc.integer({ min: 20, max: 600 }),
  spread: fc.double({ min: 1, max: 4, noNaN: true }),
  backlog: fc.integer({ min: 0, max: 200_000 }),
});

const bounds: Bounds = {
  prefill: { min: 1, max: 24, gpus: 1 },
  decode: { min: 1, max: 24, gpus: 1 },
  gpus: 32,
  ratio: { min: 0, max: Infinity },
};

/** The system with seconds counted in units of `t` and prompt tokens in units of `n`. */
function situation(
  s: typeof system extends fc.Arbitrary<infer T> ? T : never,
  t: number,
  n: number,
): { situation: Situation; targets: Targets } {
  const { prefill: p, decode: d } = h200Prior;
  const [rate, isl] = [s.rate / t, s.isl * n];
  const context = (s.isl + s.osl / 2) * n;
  return {
    targets: { ttft: 0.5 * t, itl: 0.012 * t },
    situation: {
      demand: {
        arrivals: rate,
        prefillTokens: tokensPerSecond(rate * isl),
        prefillTokensNow: tokensPerSecond(rate * isl),
        decodeTokens: tokensPerSecond(rate * s.osl),
        lengths: { isl, uncached: isl, uncachedP95: isl * 2, spread: s.spread, osl: s.osl, context, cacheShare: 0 },
        burstiness: 1.5,
      },
      models: {
        prefill: { floor: p.floor * t, c0: p.c0 * t, c1: (p.c1 * t) / n, c2: (p.c2 * t) / (n * n) },
        decode: { d0: d.d0 * t, d1: d.d1 * t, d2: (d.d2 * t) / n },
        transfer: 0.005 * t,
        kvCapacity: 890_000 * n,
      },
      trim: { prefill: 1, decode: 0.95 },
      quantile: { ttft: 0.95, itl: 0.95 },
      backlog: { tokens: s.backlog * n, decodeTokens: 0, within: 15 * t },
      limits: { maxBatchedTokens: 8192 * n, maxNumSeqs: 256 },
      headroom: 0.1,
    },
  };
}

/** The same with engines whose decode computes prompts that would queue. */
function converted(s: Situation, t: Targets, chunkTokens: number): Situation {
  return { ...s, local: { chunkTokens, queueTokens: 4096, ready: 12, ...t } };
}

describe("convertible decode", () => {
  const chunk = fc.constantFrom(32, 128, 512);

  it("never makes a plan look worse, and changes nothing of ITL", () => {
    fc.assert(
      fc.property(system, chunk, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), (s, size, prefill, decode) => {
        const { situation: without, targets } = situation(s, 1, 1);
        const [alone, helped] = [without, converted(without, targets, size)].map((one) => predict({ prefill, decode }, one));
        expect(helped?.ttft).toBeLessThanOrEqual(alone?.ttft ?? 0);
        expect(helped?.itl).toBe(alone?.itl);
      }),
    );
  });

  it("counts for nothing where its chunks would break ITL or decode has no slot free, and for less the busier decode is", () => {
    fc.assert(
      fc.property(system, chunk, fc.integer({ min: 1, max: 12 }), fc.double({ min: 1, max: 3, noNaN: true }), (s, size, replicas, more) => {
        const { situation: plain, targets } = situation(s, 1, 1);
        const easy = converted(plain, targets, size);
        const { demand } = easy;
        const busy = { ...easy, demand: { ...demand, decodeTokens: tokensPerSecond(demand.decodeTokens * more) } };
        const [idle, loaded] = [localCapacity(replicas, easy, 0), localCapacity(replicas, busy, 0)];
        expect(loaded.tokens).toBeLessThanOrEqual(idle.tokens);
        expect(
          localCapacity(replicas, converted(plain, { ...targets, itl: predict({ prefill: 1, decode: replicas }, plain).itl }, size), 0),
        ).toEqual({
          tokens: 0,
          seconds: 0,
          step: 0,
        });
      }),
    );
  });

  it("needs no more GPUs and the same decode, and more demand never fewer GPUs", () => {
    fc.assert(
      fc.property(system, chunk, fc.double({ min: 1, max: 2, noNaN: true }), (s, size, more) => {
        const { situation: plain, targets } = situation(s, 1, 1);
        const [without, with_] = [plain, converted(plain, targets, size)].map((one) => searchBeside(bounds, targets, one));
        expect(with_?.gpus).toBeLessThanOrEqual(without?.gpus ?? 0);
        expect([with_?.plan.decode, with_?.meets]).toEqual([without?.plan.decode, without?.meets]);
        const heavier = situation({ ...s, rate: s.rate * more }, 1, 1).situation;
        const grown = searchBeside(bounds, targets, converted(heavier, targets, size));
        if (grown?.meets === true) expect(grown.gpus).toBeGreaterThanOrEqual(with_?.gpus ?? 0);
      }),
      { numRuns: 150 },
    );
  });
});

describe("units do not matter", () => {
  it("to the plan: the same system in other units of time and of prompt tokens gets the same replicas", () => {
    fc.assert(
      fc.property(system, unit, unit, (s, t, n) => {
        const plain = situation(s, 1, 1);
        const other = situation(s, t, n);
        expect(search(bounds, other.targets, other.situation)?.plan).toEqual(search(bounds, plain.targets, plain.situation)?.plan);
      }),
      { numRuns: 150 },
    );
  });

  it("to the controller: prompt tokens counted in other units, tick after tick", () => {
    const load = fc.record({
      rate: fc.double({ min: 1, max: 60, noNaN: true }),
      isl: fc.integer({ min: 200, max: 8000 }),
      osl: fc.integer({ min: 20, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(load, { minLength: 3, maxLength: 25 }), unit, (loads, n) => {
        expect(follow(loads, n)).toEqual(follow(loads, 1));
      }),
      { numRuns: 60 },
    );
  });
});

/** Replicas decided tick by tick, with prompt tokens counted in units of `n`. */
function follow(loads: readonly Pick<Load, "rate" | "isl" | "osl">[], n: number): unknown[] {
  const range = { min: 512 * n, max: 16_384 * n };
  const policy = testPolicy();
  const spec = {
    ...policy.spec,
    pools: {
      ...policy.spec.pools,
      prefill: { ...policy.spec.pools.prefill, batch: { ...policy.spec.pools.prefill.batch, maxBatchedTokens: range } },
    },
  };
  let state = fulcrum.start({ ...policy, spec }, counted(h200Prior, n), 0);
  let { prefill, decode } = { prefill: 2, decode: 2 };
  return loads.map((l, i) => {
    const result = fulcrum.tick(state, recounted(observationOf({ ...l, at: (i + 1) * 5, prefill, decode }), n), { ...policy, spec });
    state = result.state;
    prefill = result.decision.pools.prefill.replicas;
    decode = result.decision.pools.decode.replicas;
    // Batch limits come in grains of 256 tokens, so they alone depend on the unit, and "within-range" is said where nothing else is.
    const codes = result.decision.reasons.map(({ code }) => code).filter((code) => code !== "batch-limit" && code !== "within-range");
    return { prefill, decode, codes };
  });
}

function counted(prior: Prior, n: number): Prior {
  const { prefill: p, decode: d } = prior;
  return {
    ...prior,
    prefill: { ...p, c1: p.c1 / n, c2: p.c2 / (n * n) },
    decode: { ...d, d2: d.d2 / n },
    kvBytesPerToken: bytes(prior.kvBytesPerToken / n),
    kvCapacityTokens: tokens(prior.kvCapacityTokens * n),
  };
}

function recounted(o: Observation, n: number): Observation {
  const { prefill, decode } = o.pools;
  const [p, d] = [prefill?.interval, decode?.interval];
  if (p?.inputTokens === undefined || p.isl === undefined || d?.steps === undefined) throw new Error("observed");
  const isl = { mean: p.isl.mean * n, p50: p.isl.p50 * n, p90: p.isl.p90 * n, p99: p.isl.p99 * n };
  return {
    ...o,
    pools: {
      prefill: { ...prefill, limits: { maxBatchedTokens: 8192 * n }, interval: { ...p, inputTokens: p.inputTokens * n, isl } },
      decode: { ...decode, interval: { ...d, steps: { ...d.steps, kvTokens: d.steps.kvTokens * n } } },
    },
  };
}

describe("missing data", () => {
  it("holds: whatever the load before, without counts, figures or arrivals every pool stays as it is", () => {
    const load = fc.record({
      rate: fc.double({ min: 0, max: 80, noNaN: true }),
      isl: fc.integer({ min: 1, max: 20_000 }),
      osl: fc.integer({ min: 1, max: 1000 }),
    });
    const gap = fc.constantFrom("prefill", "decode", "prefill interval", "decode interval", "arrivals", "counts");
    fc.assert(
      fc.property(fc.array(load, { minLength: 1, maxLength: 20 }), load, gap, (before, now, missing) => {
        const policy = testPolicy({ behavior: { scaleDown: { stabilization: "10s", cooldown: "5s" } } });
        let state = fulcrum.start(policy, h200Prior, 0);
        let { prefill, decode } = { prefill: 4, decode: 4 };
        before.forEach((l, i) => {
          const result = fulcrum.tick(state, observationOf({ ...l, at: (i + 1) * 5, prefill, decode }), policy);
          state = result.state;
          prefill = result.decision.pools.prefill.replicas;
          decode = result.decision.pools.decode.replicas;
        });
        // Seen once more as it is now, so that the counts are known.
        state = fulcrum.tick(state, observationOf({ ...now, at: (before.length + 1) * 5, prefill, decode }), policy).state;
        const blind = without(observationOf({ ...now, at: (before.length + 2) * 5, prefill, decode }), missing);
        const { decision } = fulcrum.tick(state, blind, policy);
        expect([decision.pools.prefill.replicas, decision.pools.decode.replicas, decision.hold]).toEqual([prefill, decode, true]);
      }),
      { numRuns: 100 },
    );
  });
});

function without(o: Observation, missing: string): Observation {
  const { prefill, decode } = o.pools;
  if (prefill === undefined || decode === undefined) throw new Error("observed");
  const { interval: p, replicas: _r, ...restP } = prefill;
  const { interval: d, ...restD } = decode;
  if (p === undefined || d === undefined) throw new Error("observed");
  const { arrivals: _a, ...unsaid } = p;
  const kept = { prefill: { ...restP, ...(prefill.replicas === undefined ? {} : { replicas: prefill.replicas }) }, decode: restD };
  switch (missing) {
    case "prefill":
      return { ...o, pools: { decode } };
    case "decode":
      return { ...o, pools: { prefill } };
    case "prefill interval":
      return { ...o, pools: { prefill: kept.prefill, decode } };
    case "decode interval":
      return { ...o, pools: { prefill, decode: kept.decode } };
    case "arrivals":
      return { ...o, pools: { prefill: { ...prefill, interval: unsaid }, decode } };
    default:
      return { ...o, pools: { prefill: { ...restP, interval: p }, decode } };
  }
}
