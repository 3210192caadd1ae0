import { prefillSeconds } from "../../core/latency-model.ts";
import type { DecodeReplica, World } from "./world.ts";

/** Takes the next chunk of the prompt that is computed here, if there is one, into the step that begins. */
export function beginChunk(world: World, replica: DecodeReplica): void {
  const { local: job } = replica;
  const rule = world.config.decode.localPrefill;
  if (job === undefined || rule === undefined) return;
  if (job.remaining < 0) {
    // The decode end keeps no prefixes: everything is computed.
    job.remaining = job.promptTokens;
    job.cachedTokens = 0;
    job.prefillStart = world.now;
  }
  replica.chunk = Math.min(job.remaining, Math.max(1, Math.floor(rule.chunkTokens)));
  // As in the prefill replicas, a chunk's attention counts its prompt's full length.
  replica.chunkSeconds = prefillSeconds(world.models.prefill, replica.chunk, replica.chunk * job.promptTokens);
}

/** The step ended: the chunk is computed. A prompt that is complete waits for a slot, its KV in place. */
export function endChunk(world: World, replica: DecodeReplica): void {
  const { local: job } = replica;
  if (job === undefined || replica.chunk === 0) return;
  job.remaining -= replica.chunk;
  replica.chunk = 0;
  if (job.remaining > 0) return;
  replica.local = undefined;
  replica.incoming -= 1;
  job.prefillEnd = world.now;
  job.transferStart = world.now;
  job.transferEnd = world.now;
  job.transferBytes = 0;
  replica.waiting.push(job);
}
