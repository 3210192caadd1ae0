import type { Observation } from "../../core/observation.ts";
import { transferSeconds } from "../../core/latency-model.ts";
import { bytes } from "../../core/units.ts";
import { lengths, type Workload } from "../learn/workload.ts";
import type { Prior } from "./controller.types.ts";

/** Share of the time that the senders' links are busy from which on they are full. */
const FULL = 0.9;
/** Transfers this many times slower than the network should do are slow. */
const SLOW = 3;

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
  return busy > FULL && slow > SLOW && (t.backlog ?? 0) > senders;
}
