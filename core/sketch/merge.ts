import type { SketchData } from "../distribution.ts";
import { downscaleIndex, emptySketch, stepsToFit } from "./exponential.ts";

/**
 * Associative and commutative exactly on counts, scale, min and max (sums are floating point). A sketch without positive buckets does not
 * lower the scale of the other: it has nothing to rescale.
 */
export function mergeSketches(a: SketchData, b: SketchData): SketchData {
  if (a.count === 0) return b.count === 0 ? emptySketch(Math.min(a.scale, b.scale)) : b;
  if (b.count === 0) return a;
  return {
    ...mergeBuckets(a, b),
    zeros: a.zeros + b.zeros,
    sum: a.sum + b.sum,
    count: a.count + b.count,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
  };
}

type Buckets = Pick<SketchData, "scale" | "offset" | "counts">;

function mergeBuckets(a: SketchData, b: SketchData): Buckets {
  if (a.counts.length === 0 && b.counts.length === 0) return { scale: Math.min(a.scale, b.scale), offset: 0, counts: [] };
  if (a.counts.length === 0) return { scale: b.scale, offset: b.offset, counts: b.counts };
  if (b.counts.length === 0) return { scale: a.scale, offset: a.offset, counts: a.counts };
  const common = Math.min(a.scale, b.scale);
  const low = (s: SketchData): number => downscaleIndex(s.offset, s.scale - common);
  const high = (s: SketchData): number => downscaleIndex(s.offset + s.counts.length - 1, s.scale - common);
  const steps = stepsToFit(Math.min(low(a), low(b)), Math.max(high(a), high(b)));
  const scale = common - steps;
  const offset = downscaleIndex(Math.min(low(a), low(b)), steps);
  const last = downscaleIndex(Math.max(high(a), high(b)), steps);
  const counts = new Array<number>(last - offset + 1).fill(0);
  for (const s of [a, b]) {
    for (let i = 0; i < s.counts.length; i++) {
      const at = downscaleIndex(s.offset + i, s.scale - scale) - offset;
      counts[at] = (counts[at] ?? 0) + (s.counts[i] ?? 0);
    }
  }
  return { scale, offset, counts };
}
