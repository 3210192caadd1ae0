/**
 * A latency or size distribution as it travels from an engine to a decision.
 *
 * Two kinds, never mixed: `sketch` (exponential histogram, from spans: bounded relative error) and
 * `buckets` (an engine's own classic histogram: same-bucket vectors add exactly, so pooling replicas
 * loses nothing; interpolation happens once, at the end).
 */
export type Distribution =
  | { readonly kind: "sketch"; readonly sketch: SketchData }
  | {
      readonly kind: "buckets";
      /** Upper bounds, ascending, without +Inf. */
      readonly le: readonly number[];
      /** Per-bucket (not cumulative) counts; length le.length + 1, the last is above every bound. */
      readonly counts: readonly number[];
      readonly sum: number;
      readonly count: number;
    };

/** Plain-data form of an exponential histogram: base = 2^(2^-scale), bucket i covers (base^i, base^(i+1)]. */
export interface SketchData {
  readonly scale: number;
  /** Index of counts[0]. */
  readonly offset: number;
  readonly counts: readonly number[];
  /** Values ≤ the smallest representable (1e-9). */
  readonly zeros: number;
  readonly sum: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
}
