import fc from "fast-check";
import type { SketchData } from "../../../core/distribution.ts";
import { createSketch } from "../../../core/sketch/builder.ts";

export function sketchOf(values: readonly number[], scale?: number): SketchData {
  const sketch = createSketch(scale);
  for (const value of values) sketch.add(value);
  return sketch.toData();
}

/** Latencies and lengths over every magnitude, with zeros and the far ends that force downscaling. */
export const measurement = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: 1e-6, max: 1e6, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1e-9, 1e-12, 1, 1024) },
  { weight: 1, arbitrary: fc.double({ min: 1e-300, max: 1e300, noNaN: true }) },
);

export const sketch = fc
  .tuple(fc.array(measurement, { maxLength: 60 }), fc.integer({ min: -2, max: 8 }))
  .map(([values, scale]) => sketchOf(values, scale));
