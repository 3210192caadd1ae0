import type { KeepTrace } from "../../core/otlp/trace.ts";

/** Below one in a thousand the sample says nothing about a second. */
const SMALLEST_SHARE = 2 ** -10;

export interface HeadSampler {
  /** undefined = every trace. */
  keep(): KeepTrace | undefined;
  /** Share of traces kept right now; how many requests each kept one stands for is its inverse. */
  share(): number;
  /** After each batch: spans looked into, and spans only counted. */
  count(kept: number, sampledOut: number): void;
  /** Ends an interval: the share for the next follows the rate of this one. Returns the share of spans that was looked into. */
  turn(seconds: number): number;
}

/**
 * Bounds the spans looked into per second. Whole traces are kept or left, decided by the trace id alone, so that all spans of a
 * request and both of its nodes fall on the same side; shares are powers of two, so a smaller sample is part of every larger
 * one. Within an interval the share halves each time another second's worth was kept: a burst costs a few seconds' worth at most.
 */
export function createHeadSampler(perSecond: number): HeadSampler {
  let share = 1;
  let budget = perSecond;
  let kept = 0;
  let sampledOut = 0;
  const keep: KeepTrace = (traceId) => place(traceId) < share;
  return {
    keep: () => (share < 1 ? keep : undefined),
    share: () => share,
    count(more, out) {
      kept += more;
      sampledOut += out;
      for (; kept > budget; budget += perSecond) share = Math.max(SMALLEST_SHARE, share / 2);
    },
    turn(seconds) {
      const offered = kept + sampledOut;
      const looked = offered === 0 ? 1 : kept / offered;
      const allowed = perSecond * Math.max(seconds, 0.001);
      share = offered <= allowed ? 1 : Math.max(SMALLEST_SHARE, 2 ** -Math.ceil(Math.log2(offered / allowed)));
      budget = Math.max(1, allowed);
      kept = sampledOut = 0;
      return looked;
    },
  };
}

/**
 * A trace's place in 0..1. Mixed (murmur3's finalizer) and not read off the id as samplers upstream do: among traces that those
 * already chose by the same digits, every one would be kept.
 */
function place(traceId: string): number {
  let hash = parseInt(traceId.slice(0, 8), 16) ^ parseInt(traceId.slice(16, 24), 16) ^ parseInt(traceId.slice(24, 32), 16);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
