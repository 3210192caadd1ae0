import type { Distribution } from "../../core/distribution.ts";
import type { DistributionName } from "../../core/engines/canonical.ts";
import { poolKey } from "../../core/pool.ts";
import { type SketchBuilder, createSketch } from "../../core/sketch/builder.ts";
import type { RequestHalf } from "../../wire/messages.ts";

/** Latency and length sketches of one pool, from its requests' spans. */
export type PoolSpans = Readonly<Partial<Record<DistributionName, Distribution>>>;

export interface SpanSummary {
  /** `weight`: how many requests this one stands for. */
  add(half: RequestHalf, weight?: number): void;
  /** What was added since the last drain, by pool key. */
  drain(): ReadonlyMap<string, PoolSpans>;
}

/**
 * Folds request halves into sketches. Every request counts, also those that no longer fit among the report's halves.
 * Memory is bounded by pools × names; one sketch bounds itself.
 */
export function createSpanSummary(): SpanSummary {
  let pools = new Map<string, Map<DistributionName, SketchBuilder>>();
  return {
    add(half, requests = 1) {
      const key = poolKey(half);
      const pool = pools.get(key) ?? new Map<DistributionName, SketchBuilder>();
      pools.set(key, pool);
      measure(half, (name, value, weight) => {
        let sketch = pool.get(name);
        if (sketch === undefined) pool.set(name, (sketch = createSketch()));
        sketch.add(value, weight * requests);
      });
    },
    drain() {
      const out = new Map<string, PoolSpans>();
      for (const [key, pool] of pools) {
        const distributions: Partial<Record<DistributionName, Distribution>> = {};
        for (const [name, sketch] of pool) {
          const data = sketch.toData();
          if (data.count > 0) distributions[name] = { kind: "sketch", sketch: data };
        }
        out.set(key, distributions);
      }
      pools = new Map();
      return out;
    },
  };
}

/**
 * What one half measures. A span carries the request's mean inter-token latency only, weighted here by its tokens so that
 * the pool's mean is per token, as the engines' histograms have it; within one request the spread is not visible.
 * A prefill engine emits one token, so it has no inter-token latency, and its output length says nothing.
 */
function measure(half: RequestHalf, add: (name: DistributionName, value: number, weight: number) => void): void {
  add("e2e", Math.max(0, half.end - half.start), 1);
  if (half.firstToken !== undefined) add("ttft", half.firstToken, 1);
  if (half.queue !== undefined) add("queue", half.queue, 1);
  if (half.prefill !== undefined) add("prefill", half.prefill, 1);
  if (half.kvTransfer !== undefined) add("kvTransfer", half.kvTransfer, 1);
  if (half.promptTokens !== undefined) add("isl", half.promptTokens, 1);
  if (half.role === "prefill" || half.outputTokens === undefined) return;
  add("osl", half.outputTokens, 1);
  const gaps = half.outputTokens - 1;
  if (half.decode !== undefined && gaps >= 1) add("itl", half.decode / gaps, gaps);
}
