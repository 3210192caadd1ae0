import { countOf } from "../../core/distributions/empty.ts";
import { summarize } from "../../core/distributions/summary.ts";
import { createSketch } from "../../core/sketch/builder.ts";
import type { Distribution } from "../../core/distribution.ts";
import type { Summary } from "../../core/summary.ts";
import { summarizeSum } from "./convolve.ts";
import type { PoolInterval } from "./interval.ts";
import type { Stitched } from "./stitch.ts";

/** Where this interval's TTFT comes from; best first. Shown, because their meanings differ. */
export const TTFT_SOURCES = ["frontend", "stitched", "decode", "prefill+decode", "prefill"] as const;
export type TtftSource = (typeof TTFT_SOURCES)[number];

export interface Ttft {
  readonly source: TtftSource;
  readonly summary: Summary;
}

/** Stitched requests must be this share of the interval's first tokens to speak for it. */
export const MIN_STITCHED = 0.9;

export interface TtftInput {
  readonly prefill: PoolInterval | undefined;
  readonly decode: PoolInterval | undefined;
  readonly frontend: PoolInterval | undefined;
  readonly stitched: readonly Stitched[];
  readonly target: number | undefined;
}

/**
 * What a user waited for the first token, of each request once: prefill, decode and whatever stands before them each count the same request, so
 * one of them is taken and the others are not added.
 * - frontend: measured where the user connects.
 * - stitched: measured from prefill arrival to the first decoded token. A decode half is reported when its request ends, so only
 *   requests whose first token fell into this interval count, and they must be nearly all of them: else this would be the past.
 * - decode: SGLang's router posts to both sides at once, so its decode TTFT is the user's.
 * - prefill+decode: vLLM's decode engine gets the request after prefill ended: the two waits follow each other. So does TensorRT-LLM's.
 * - prefill: without the transfer and the first decode step; better than nothing.
 */
export function chooseTtft(input: TtftInput): Ttft | undefined {
  const { prefill, decode, frontend, stitched, target } = input;
  const p = nonEmpty(prefill?.distributions.ttft);
  const d = nonEmpty(decode?.distributions.ttft);
  const f = nonEmpty(frontend?.distributions.ttft);
  const firstTokens = countOr(d) ?? countOr(p) ?? 0;
  const current = stitched.filter((s) => s.age <= (decode?.seconds ?? 0));
  if (f !== undefined) return named("frontend", summarize(f, target));
  if (current.length > 0 && current.length >= MIN_STITCHED * firstTokens) return named("stitched", summarize(sketchOf(current), target));
  if (d !== undefined && decode?.id.engine === "sglang") return named("decode", summarize(d, target));
  if (p !== undefined && d !== undefined) return named("prefill+decode", summarizeSum(p, d, target));
  if (p !== undefined) return named("prefill", summarize(p, target));
  return undefined;
}

const named = (source: TtftSource, summary: Summary | undefined): Ttft | undefined =>
  summary === undefined ? undefined : { source, summary };

const nonEmpty = (d: Distribution | undefined): Distribution | undefined => (d !== undefined && countOf(d) > 0 ? d : undefined);
const countOr = (d: Distribution | undefined): number | undefined => (d === undefined ? undefined : countOf(d));

function sketchOf(stitched: readonly Stitched[]): Distribution {
  const sketch = createSketch();
  for (const { ttft } of stitched) sketch.add(ttft);
  return { kind: "sketch", sketch: sketch.toData() };
}
