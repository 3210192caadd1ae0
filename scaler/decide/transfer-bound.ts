import type { Observation } from "../../core/observation.ts";
import { transferSeconds } from "../../core/latency-model.ts";
import { bytes } from "../../core/units.ts";
import { lengths, type Workload } from "../learn/workload.ts";
import type { Prior } from "./controller.types.ts";

/** Share of the time that the senders' links are busy from which on they are full. */
const FULL = 0.9;
/** Transfers this many times slower than the network should do are slow. */
const SLOW = 3;
/** Seconds of transfers that wait from which on a shared link is the bottleneck, whatever the speed of each. */
const LONG = 5;
/** Decode below this share of its KV memory and of its slots could take more. */
const ROOM = 0.85;

/**
 * Whether the KV path holds requests up: links full, transfers slow beyond what their size explains, and requests waiting for
 * their KV. More prefill would only fill the links faster, and a decode replica cannot start what has not arrived.
 */
export function transferBound(o: Observation, workload: Workload, prior: Prior): boolean {
  const t = o.transfer;
  const senders = o.pools.prefill?.replicas?.ready ?? 0;
  const isl = lengths(workload)?.isl;
  if (t?.busySeconds === undefined || t.transfers === undefined || isl === undefined) return false;
  if (!(t.seconds > 0) || !(t.transfers > 0) || senders === 0) return false;
  const busy = t.busySeconds / (t.seconds * senders);
  const slow = t.busySeconds / t.transfers / transferSeconds(prior.transfer, bytes(isl * prior.kvBytesPerToken));
  if (busy > FULL && slow > SLOW && (t.backlog ?? 0) > senders) return true;
  // One link that all senders share is full when it alone is busy all the time.
  return t.busySeconds > FULL * t.seconds && transferWait(o) > LONG && roomToDecode(o);
}

/** Seconds that KV handed over now waits for its transfer: what is queued ÷ what went through lately. 0 where either is unknown. */
export function transferWait(o: Observation): number {
  const t = o.transfer;
  if (t?.backlog === undefined || t.transfers === undefined || !(t.transfers > 0) || !(t.seconds > 0)) return 0;
  return t.backlog / (t.transfers / t.seconds);
}

/** KV also waits when decode has no room for it: that is a shortage of decode, not of bandwidth. */
function roomToDecode(o: Observation): boolean {
  const decode = o.pools.decode;
  const ready = decode?.replicas?.ready ?? 0;
  const slots = (decode?.limits?.maxNumSeqs ?? Infinity) * ready;
  return (decode?.kvUsage ?? 0) < ROOM && (decode?.running?.requests ?? 0) < ROOM * slots;
}
