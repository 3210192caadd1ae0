import { bytes } from "../../core/units.ts";
import { transferSeconds } from "../../core/latency-model.ts";
import type { Job } from "./job.ts";
import { schedule, type DecodeReplica, type PrefillReplica, type World } from "./world.ts";

/** Queues a prompt's KV on its prefill replica's egress link, first in first out. */
export function send(world: World, replica: PrefillReplica, job: Job): void {
  replica.outbox.push(job);
  startTransfer(world, replica);
}

function startTransfer(world: World, replica: PrefillReplica): void {
  if (replica.sending !== undefined) return;
  const job = replica.outbox.shift();
  if (job === undefined) return;
  replica.sending = job;
  job.transferStart = world.now;
  job.transferBytes = job.promptTokens * world.config.kvBytesPerToken;
  world.sink.enqueued?.(job.decodeReplica, job.request, world.now);
  replica.sendingEnds = world.now + transferSeconds(world.models.transfer, bytes(job.transferBytes));
  schedule(world, replica.sendingEnds, "transfer", replica, job);
}

/** The link's speed changed: what is left of the transfer in progress takes `factor` times as long. */
export function rescaleTransfer(world: World, replica: PrefillReplica, factor: number): void {
  if (replica.sending === undefined) return;
  replica.epoch += 1;
  replica.sendingEnds = world.now + Math.max(0, replica.sendingEnds - world.now) * factor;
  schedule(world, replica.sendingEnds, "transfer", replica, replica.sending);
}

/** Ends the transfer in progress and starts the next; the caller passes the job on to decode. */
export function endTransfer(world: World, replica: PrefillReplica, job: Job): void {
  job.transferEnd = world.now;
  replica.sending = undefined;
  replica.heldTokens -= job.promptTokens;
  tell(world, job, job.transferStart, false);
  startTransfer(world, replica);
}

/** The decode end crashed: takes its jobs off the link. What was being sent counts as a failed transfer. */
export function dropTransfersTo(world: World, replica: PrefillReplica, target: DecodeReplica): Job[] {
  const lost = replica.outbox.extract((job) => job.decodeReplica === target.id);
  const { sending } = replica;
  if (sending?.decodeReplica === target.id) {
    tell(world, sending, sending.transferStart, true);
    replica.sending = undefined;
    replica.epoch += 1;
    lost.unshift(sending);
  }
  for (const job of lost) replica.heldTokens -= job.promptTokens;
  startTransfer(world, replica);
  return lost;
}

/** The prefill end crashed: everything on its link is lost; the decode ends get their reserved room back. */
export function dropTransfersFrom(world: World, replica: PrefillReplica): Job[] {
  const lost = replica.outbox.extract(() => true);
  if (replica.sending !== undefined) {
    tell(world, replica.sending, replica.sending.transferStart, true);
    lost.unshift(replica.sending);
    replica.sending = undefined;
  }
  for (const job of lost) {
    const target = world.decode.find((decode) => decode.id === job.decodeReplica);
    if (target === undefined) continue;
    target.incoming -= 1;
    target.reserved -= job.promptTokens;
  }
  return lost;
}

function tell(world: World, job: Job, start: number, failed: boolean): void {
  world.sink.transfer?.({
    from: job.prefillReplica,
    to: job.decodeReplica,
    start,
    end: world.now,
    bytes: job.transferBytes,
    failed,
    request: job.request,
  });
}
