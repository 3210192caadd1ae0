import { allocated } from "./decode.ts";
import type { PlantReplica } from "./plant.types.ts";
import type { DecodeReplica, PrefillReplica, Replica, World } from "./world.ts";

/**
 * A replica as the outside sees it. Every agent looks at its replicas once a second, so the common case is one literal: spread
 * from parts it took a tenth of a back-test.
 */
export function viewReplica(world: World, replica: Replica): PlantReplica {
  const view = replica.role === "prefill" ? viewPrefill(replica) : viewDecode(world, replica);
  return replica.becomes === undefined ? view : { ...view, becomes: replica.becomes };
}

function viewPrefill(replica: PrefillReplica): PlantReplica {
  // A chunked prompt is in the pass and still at the head of the queue: it counts as running.
  const running = replica.batch.length;
  const last = replica.batch[running - 1];
  const chunked = last !== undefined && replica.queue.peek() === last.job ? 1 : 0;
  return {
    id: replica.id,
    role: "prefill",
    phase: replica.phase,
    createdAt: replica.createdAt,
    readyAt: replica.readyAt,
    waiting: replica.queue.size - chunked,
    running,
    queuedTokens: replica.queuedTokens,
    kvTokens: replica.heldTokens,
    waitingForKv: 0,
  };
}

function viewDecode(world: World, replica: DecodeReplica): PlantReplica {
  // As engines count: a prompt in chunked prefill is running.
  const local = replica.local === undefined ? 0 : 1;
  return {
    id: replica.id,
    role: "decode",
    phase: replica.phase,
    createdAt: replica.createdAt,
    readyAt: replica.readyAt,
    waiting: replica.waiting.size,
    running: replica.running.size + local,
    queuedTokens: Math.max(0, replica.local?.remaining ?? 0),
    kvTokens: allocated(world, replica),
    waitingForKv: replica.incoming - local,
  };
}
