import { allocated } from "./decode.ts";
import type { PlantReplica } from "./plant.types.ts";
import type { Replica, World } from "./world.ts";

/** A replica as the outside sees it. */
export function viewReplica(world: World, replica: Replica): PlantReplica {
  const { id, role, phase, createdAt, readyAt } = replica;
  const becomes = replica.becomes === undefined ? {} : { becomes: replica.becomes };
  const base = { id, role, phase, createdAt, readyAt, ...becomes };
  if (replica.role === "prefill") {
    // A chunked prompt is in the pass and still at the head of the queue: it counts as running.
    const running = replica.batch.length;
    const last = replica.batch[running - 1];
    const chunked = last !== undefined && replica.queue.peek() === last.job ? 1 : 0;
    const waiting = replica.queue.size - chunked;
    return { ...base, waiting, running, queuedTokens: replica.queuedTokens, kvTokens: replica.heldTokens, waitingForKv: 0 };
  }
  return {
    ...base,
    waiting: replica.waiting.size,
    running: replica.running.size,
    queuedTokens: 0,
    kvTokens: allocated(world, replica),
    waitingForKv: replica.incoming,
  };
}
