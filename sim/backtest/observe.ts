import type { DecodeObservation, PrefillObservation, TransferObservation } from "../../core/observation.ts";
import type { Summary } from "../../core/summary.ts";
import type { Counts } from "./counts.ts";
import type { Gauges } from "./gauges.ts";
import type { Collected } from "./inbox.ts";
import { summarize, summarizeWeighted } from "./quantiles.ts";

type TtftFrom = "router" | "spans";

const shape = ({ mean, p50, p90, p99 }: Summary) => ({ mean, p50, p90, p99 });

/** `queue.tokens` is left out: no engine publishes the uncached tokens of its queue. */
export function observePrefill(
  collected: Collected | undefined,
  gauges: Gauges,
  target: number | undefined,
  from: TtftFrom,
): PrefillObservation {
  const { sums, evidence } = gauges.prefill;
  const { unrouted } = gauges;
  const seconds = collected?.seconds.router;
  return {
    evidence,
    ...(sums === undefined || unrouted === undefined ? {} : { queue: { requests: sums.waiting + unrouted.prefill } }),
    ...(sums === undefined ? {} : { running: { requests: sums.running } }),
    ...(collected === undefined || seconds === undefined ? {} : { interval: prefillInterval(collected.counts, seconds, target, from) }),
  };
}

function prefillInterval(
  counts: Counts,
  seconds: number,
  target: number | undefined,
  from: TtftFrom,
): NonNullable<PrefillObservation["interval"]> {
  const ttft = summarize(from === "spans" ? stitchedTtft(counts, seconds) : counts.ttft, target);
  const isl = summarize(counts.isl);
  // Hits are known when a prompt is computed; the share seen there is taken to hold for what arrived.
  const hitShare = counts.promptTokens > 0 ? counts.cachedTokens / counts.promptTokens : 0;
  return {
    seconds,
    arrivals: counts.arrivals,
    inputTokens: counts.inputTokens,
    cachedTokens: Math.round(counts.inputTokens * hitShare),
    batches: counts.batches,
    ...(ttft === undefined ? {} : { ttft }),
    ...(isl === undefined ? {} : { isl: shape(isl) }),
  };
}

/** Stitched requests must be this share of the interval's first tokens to speak for it (scaler/intake/ttft-source.ts). */
const MIN_STITCHED = 0.9;

/**
 * First tokens of which nearly all are stitched already; of fewer, nothing is said. (Production then adds up both engines' own
 * waits; the plant's engines publish none.)
 */
function stitchedTtft({ ttft, stitched }: Counts, seconds: number): readonly number[] {
  const current = stitched.filter(({ age }) => age <= seconds);
  return current.length >= MIN_STITCHED * ttft.length ? current.map((one) => one.ttft) : [];
}

export function observeDecode(
  collected: Collected | undefined,
  gauges: Gauges,
  kvCapacityTokens: number,
  target: number | undefined,
): DecodeObservation {
  const { sums, serving, evidence } = gauges.decode;
  const { unrouted } = gauges;
  const seconds = collected?.seconds.decode;
  return {
    evidence,
    ...(sums === undefined || unrouted === undefined ? {} : { queue: { requests: sums.waiting + unrouted.decode } }),
    ...(sums === undefined
      ? {}
      : { running: { requests: sums.running, kvTokens: sums.kvTokens }, kvUsage: sums.kvTokens / (serving * kvCapacityTokens) }),
    kvCapacityTokens,
    ...(collected === undefined || seconds === undefined ? {} : { interval: decodeInterval(collected.counts, seconds, target) }),
  };
}

function decodeInterval(counts: Counts, seconds: number, target: number | undefined): NonNullable<DecodeObservation["interval"]> {
  const itl = summarizeWeighted(counts.itl, target);
  const osl = summarize(counts.osl);
  return {
    seconds,
    finished: counts.finished,
    outputTokens: counts.outputTokens,
    steps: counts.steps,
    ...(counts.localTokens > 0 ? { promptTokens: counts.localTokens } : {}),
    ...(itl === undefined ? {} : { itl }),
    ...(osl === undefined ? {} : { osl: shape(osl) }),
  };
}

export function observeTransfer(collected: Collected | undefined, { decode }: Gauges): TransferObservation | undefined {
  const seconds = collected?.seconds.decode;
  if (collected === undefined || seconds === undefined) return undefined;
  return { seconds, ...collected.counts.transfer, ...(decode.sums === undefined ? {} : { backlog: decode.sums.waitingForKv }) };
}
