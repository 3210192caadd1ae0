import { bytes, bytesPerSecond, seconds, tokens } from "../../core/units.ts";
import type { Observation } from "../../core/observation.ts";
import type { Prior } from "../../scaler/decide/controller.types.ts";
import { policyFromJson } from "../../scaler/policy/load.ts";
import type { Policy } from "../../scaler/policy/schema.ts";

/** The H200 8B profile's fitted models (reference: measured on one H200), as a prior. */
export const h200Prior: Prior = {
  name: "h200-8b",
  prefill: { floor: 0.006, c0: 0.0017, c1: 2.64e-5, c2: 4.57e-10 },
  decode: { d0: 0.0058, d1: 2.37e-5, d2: 2.84e-8 },
  transfer: { latency: seconds(0.002), bytesPerSecond: bytesPerSecond(45e9) },
  kvBytesPerToken: bytes(131072),
  kvCapacityTokens: tokens(890_000),
};

export function testPolicy(spec: Record<string, unknown> = {}): Policy {
  const parsed = policyFromJson({
    apiVersion: "fulcrum.dev/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "test" },
    spec: {
      mode: "enforce",
      objectives: { ttft: { target: "500ms" }, itl: { target: "12ms" } },
      budget: { gpus: 16 },
      behavior: { scaleDown: { stabilization: "60s", cooldown: "10s" } },
      ...spec,
    },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}

export interface Load {
  readonly at: number;
  /** Requests per second. */
  readonly rate: number;
  readonly isl: number;
  readonly osl: number;
  readonly prefill: number;
  readonly decode: number;
  readonly waiting?: number;
  readonly starting?: number;
}

/** What a 5 s interval of steady load looks like from outside, engines running at the prior's speed. */
export function observationOf(l: Load): Observation {
  const n = l.rate * 5;
  const context = l.isl + l.osl / 2;
  const { batch, step } = decodePoint((l.rate * l.osl) / l.decode, context);
  const steps = (5 / step) * l.decode;
  const output = Math.min(n * l.osl, steps * batch);
  const starting = Array.from({ length: l.starting ?? 0 }, () => ({ age: 5 }));
  return {
    type: "observation",
    at: l.at,
    pools: {
      prefill: {
        replicas: { ready: l.prefill, starting, draining: 0 },
        queue: { requests: l.waiting ?? 0 },
        limits: { maxBatchedTokens: 8192 },
        interval: {
          seconds: 5,
          arrivals: n,
          inputTokens: n * l.isl,
          cachedTokens: 0,
          isl: { mean: l.isl, p50: l.isl * 0.8, p90: l.isl * 2, p99: l.isl * 3 },
        },
      },
      decode: {
        replicas: { ready: l.decode, starting: [], draining: 0 },
        queue: { requests: 0 },
        running: { requests: Math.round(batch * l.decode) },
        limits: { maxNumSeqs: 256 },
        interval: {
          seconds: 5,
          finished: n,
          outputTokens: output,
          osl: { mean: l.osl, p50: l.osl, p90: l.osl, p99: l.osl },
          steps: { count: steps, seconds: 5 * l.decode, sequences: output, kvTokens: output * context },
        },
      },
    },
  };
}

/** Batch and step time at which a replica makes `rate` tokens per second, at most 256 sequences. */
function decodePoint(rate: number, context: number): { batch: number; step: number } {
  const { d0, d1, d2 } = h200Prior.decode;
  const slope = d1 + d2 * context;
  const left = 1 - rate * slope;
  const batch = Math.max(1, left > 0 ? Math.min(256, (rate * d0) / left) : 256);
  return { batch, step: d0 + slope * batch };
}
