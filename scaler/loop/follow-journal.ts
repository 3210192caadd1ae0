import { copyJournal, type Compared, type Copy } from "../journal/follow.ts";
import type { Log } from "../log.ts";
import { leaderJournal, type LeaderDoor } from "./leader-journal.ts";

export interface FollowOptions extends Omit<Copy, "may"> {
  /** Where the leader's journal is; undefined while this scaler leads, or nobody is known to. */
  readonly leader: () => LeaderDoor | undefined;
  readonly onRound: (outcome: "copied" | "failed") => void;
  readonly log: Log;
  /** Seconds between two rounds. */
  readonly every?: number;
}

/** A leader that dies takes with it what it decided since the last round. */
const EVERY = 2;

/** While another scaler leads, its journal is copied into ours: who takes over has all of the history. */
export function followJournal(options: FollowOptions): { stop(): Promise<void> } {
  const { directory, maxFiles, log } = options;
  const stopping = new AbortController();
  let followed: string | undefined;
  let compared: Compared = new Map();
  let problem: string | undefined;
  let running: Promise<void> | undefined;

  async function round(): Promise<void> {
    const leader = options.leader();
    if (leader === undefined) {
      followed = undefined;
      return;
    }
    const { address } = leader;
    if (address !== followed) {
      compared = new Map();
      log.info({ leader: address }, "journal: the leader's is copied here");
    }
    followed = address;
    const may = (): boolean => options.leader()?.address === address;
    const signal = stopping.signal;
    const done = await copyJournal({ directory, maxFiles, may }, leaderJournal(leader), compared, signal).catch((error: unknown) => ({
      ok: false as const,
      error: error instanceof Error ? error.message : String(error),
    }));
    if (signal.aborted || !may()) return;
    options.onRound(done.ok ? "copied" : "failed");
    // Once, until it is another or over.
    if (!done.ok && done.error !== problem) log.warn({ leader: address, problem: done.error }, "journal: the leader's cannot be copied");
    if (done.ok && problem !== undefined) log.info({ leader: address }, "journal: the leader's is copied again");
    problem = done.ok ? undefined : done.error;
  }

  const timer = setInterval(
    () => {
      running ??= round().finally(() => (running = undefined));
    },
    (options.every ?? EVERY) * 1000,
  );
  timer.unref();

  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}
