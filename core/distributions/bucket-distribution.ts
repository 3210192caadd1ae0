import type { Distribution } from "../distribution.ts";

/** The classic-histogram kind of a distribution. */
export type BucketDistribution = Extract<Distribution, { kind: "buckets" }>;
