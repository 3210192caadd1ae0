import type { RequestHalf } from "../../wire/messages.ts";

/**
 * Joins the prefill and the decode half of a request by trace id, so that time to first token is measured end to end and
 * explained. No clock of its own: times come from the reports.
 */
export interface Stitched {
  readonly namespace: string;
  readonly prefillPool: string;
  readonly decodePool: string;
  /** Nodes of the two halves. */
  readonly sourceNode: string;
  readonly targetNode: string;
  readonly promptTokens: number | undefined;
  /** Unix seconds, by the clock of the decode node. */
  readonly firstTokenAt: number;
  /** Age of the first token when its report was made: the decode half is only known when the request ends. */
  readonly age: number;
  readonly ttft: number;
  readonly queue: number | undefined;
  readonly prefill: number | undefined;
  readonly transfer: number | undefined;
  /** What is left: waiting for a place in the decode batch, and its first step. */
  readonly firstDecode: number | undefined;
}

export interface StitchLimits {
  /** Halves waiting for their other half; the oldest leaves first. */
  readonly pending: number;
  /** Seconds until a half is given up: longer than any answer takes to generate. */
  readonly timeout: number;
}

export const STITCH_LIMITS: StitchLimits = { pending: 50_000, timeout: 600 };

export interface Stitcher {
  /** `node` reported it; `reportAt` is its clock at the report, `receivedAt` ours (for the timeout). */
  add(half: RequestHalf, node: string, reportAt: number, receivedAt: number): Stitched | undefined;
  counts(): { readonly stitched: number; readonly expired: number; readonly impossible: number; readonly pending: number };
}

interface Half {
  readonly half: RequestHalf;
  readonly node: string;
  readonly reportAt: number;
}

interface Waiting extends Half {
  readonly receivedAt: number;
}

export function createStitcher(limits: StitchLimits = STITCH_LIMITS): Stitcher {
  // Insertion order is order of arrival: the first entry is always the oldest.
  const waiting = new Map<string, Waiting>();
  let stitched = 0;
  let expired = 0;
  let impossible = 0;

  function expire(now: number): void {
    for (const [trace, entry] of waiting) {
      if (waiting.size <= limits.pending && now - entry.receivedAt <= limits.timeout) return;
      waiting.delete(trace);
      expired++;
    }
  }

  return {
    add(half, node, reportAt, receivedAt) {
      if (half.role !== "prefill" && half.role !== "decode") return undefined;
      const key = `${half.namespace}/${half.trace}`;
      const other = waiting.get(key);
      if (other === undefined || other.half.role === half.role) {
        // A half that comes again (a retry on another replica) replaces the first and starts to wait anew.
        waiting.delete(key);
        waiting.set(key, { half, node, reportAt, receivedAt });
        expire(receivedAt);
        return undefined;
      }
      waiting.delete(key);
      const own = { half, node, reportAt };
      const joined = half.role === "prefill" ? join(own, other) : join(other, own);
      if (joined === undefined) impossible++;
      else stitched++;
      return joined;
    },
    counts: () => ({ stitched, expired, impossible, pending: waiting.size }),
  };
}

/** Undefined when the halves contradict each other (clocks apart) or the decode half never made a token. */
function join(source: Half, target: Half): Stitched | undefined {
  const [prefill, decode] = [source.half, target.half];
  if (decode.firstToken === undefined) return undefined;
  const firstTokenAt = decode.start + decode.firstToken;
  const ttft = firstTokenAt - prefill.start;
  if (!(ttft >= 0)) return undefined;
  // vLLM has no span of the transfer itself: its decode side waits in the queue while the KV comes, so that wait is an upper bound.
  const transfer = decode.kvTransfer ?? prefill.kvTransfer ?? decode.queue;
  const known = [prefill.queue, prefill.prefill, transfer];
  const rest = known.includes(undefined) ? undefined : ttft - known.reduce<number>((sum, x) => sum + (x ?? 0), 0);
  return {
    namespace: decode.namespace,
    prefillPool: prefill.pool,
    decodePool: decode.pool,
    sourceNode: source.node,
    targetNode: target.node,
    promptTokens: prefill.promptTokens ?? decode.promptTokens,
    firstTokenAt,
    age: Math.max(0, target.reportAt - firstTokenAt),
    ttft,
    queue: prefill.queue,
    prefill: prefill.prefill,
    transfer,
    firstDecode: rest === undefined ? undefined : Math.max(0, rest),
  };
}
