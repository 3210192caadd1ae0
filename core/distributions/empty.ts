import type { Distribution } from "../distribution.ts";

export const countOf = (d: Distribution): number => (d.kind === "sketch" ? d.sketch.count : d.count);
export const sumOf = (d: Distribution): number => (d.kind === "sketch" ? d.sketch.sum : d.sum);
export const isEmpty = (d: Distribution): boolean => countOf(d) <= 0;
