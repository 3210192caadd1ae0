import { readable, readCheckpoint, writeCheckpoint, type PolicyCheckpoint } from "../journal/checkpoint.ts";
import type { Log } from "../log.ts";

/** Keeps the newest state of every policy on disk. Writes never overlap: what comes during one goes with the next. */
export interface Checkpointer {
  get(name: string): PolicyCheckpoint | undefined;
  put(name: string, entry: PolicyCheckpoint): void;
  /** What another scaler has left is read again: before one goes on where that one stopped. Never rejects. */
  renew(): Promise<void>;
  /** Resolves when everything put so far is on disk. */
  flush(): Promise<void>;
}

export const noCheckpointer: Checkpointer = {
  get: () => undefined,
  put: () => undefined,
  renew: async () => undefined,
  flush: async () => undefined,
};

/** A checkpoint of another version, or of a later shape of what was learned, is not used. */
export async function openCheckpointer(path: string, version: string, log: Log): Promise<Checkpointer> {
  const { checkpoint, problem } = await readCheckpoint(path);
  if (problem !== undefined) log.warn({ problem }, "checkpoint: not used; learning starts anew");
  const policies = new Map(checkpoint !== undefined && readable(checkpoint.version, version) ? Object.entries(checkpoint.policies) : []);
  let dirty = false;
  let writing: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (dirty) {
      dirty = false;
      try {
        await writeCheckpoint(path, { version, policies: Object.fromEntries(policies) });
      } catch (error) {
        log.error({ err: error, path }, "checkpoint: could not be written");
      }
    }
    writing = undefined;
  }

  function changed(): void {
    dirty = true;
    writing ??= drain();
  }

  return {
    get: (name) => policies.get(name),
    put(name, entry) {
      policies.set(name, entry);
      changed();
    },
    renew: async () => undefined,
    flush: async () => writing,
  };
}
