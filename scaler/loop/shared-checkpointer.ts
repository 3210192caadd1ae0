import { readable, type Checkpoint, type PolicyCheckpoint } from "../journal/checkpoint.ts";
import type { SharedState } from "../kube/state-map.ts";
import type { Log } from "../log.ts";
import type { Checkpointer } from "./checkpointer.ts";

export interface SharedOptions {
  readonly own: Checkpointer;
  readonly shared: SharedState;
  readonly version: string;
  readonly leading: () => boolean;
  readonly onWrite: (outcome: "written" | "trimmed" | "failed", bytes: number | undefined) => void;
  readonly log: Log;
  /** Seconds between two writes: what a leader that dies has learned since is lost. */
  readonly every?: number;
}

const EVERY = 30;

/** Keeps what was learned on the own disk, and while leading also where a successor finds it. */
export function shareCheckpoints(options: SharedOptions): Checkpointer & { stop(): Promise<void> } {
  const { own, shared, version, leading, log } = options;
  const stopping = new AbortController();
  const latest = new Map<string, PolicyCheckpoint>();
  let left: Checkpoint["policies"] = {};
  let reading: Promise<void> | undefined;
  let writing: Promise<void> = Promise.resolve();
  let dirty = false;
  let told: string | undefined;

  /** A problem is told once, until it is another or over. */
  function tell(problem: string | undefined, what: string): void {
    if (problem !== undefined && problem !== told) log.warn({ problem }, what);
    told = problem;
  }

  async function readNow(): Promise<void> {
    const found = await shared.read(stopping.signal);
    tell(found.ok ? undefined : found.error, "checkpoint: what the last leader left cannot be read");
    if (!found.ok) return;
    // The shape of what was learned may have changed with the version.
    left = found.value !== undefined && readable(found.value.version, version) ? found.value.policies : {};
    if (found.value !== undefined && !readable(found.value.version, version))
      log.info({ theirs: found.value.version, ours: version }, "checkpoint: the last leader was of another version; not used");
  }

  async function writeNow(signal: AbortSignal): Promise<void> {
    if (!dirty || !leading()) return;
    dirty = false;
    const done = await shared.write({ version, policies: Object.fromEntries(latest) }, signal);
    tell(done.ok ? undefined : done.error, "checkpoint: what was learned could not be left for a successor");
    if (!done.ok) {
      dirty = true;
      return options.onWrite("failed", undefined);
    }
    const { bytes, leftOut } = done.value;
    if (leftOut.length > 0)
      log.warn({ leftOut: leftOut.slice(0, 10), policies: leftOut.length }, "checkpoint: too large for a ConfigMap; some are left out");
    options.onWrite(leftOut.length > 0 ? "trimmed" : "written", bytes);
  }

  const queue = (signal: AbortSignal): Promise<void> => (writing = writing.then(() => writeNow(signal)));
  const timer = setInterval(() => void queue(stopping.signal), (options.every ?? EVERY) * 1000);
  timer.unref();

  return {
    get(name) {
      const [mine, theirs] = [own.get(name), left[name]];
      return theirs !== undefined && (mine === undefined || theirs.at > mine.at) ? theirs : mine;
    },
    put(name, entry) {
      own.put(name, entry);
      latest.set(name, entry);
      dirty = true;
    },
    renew() {
      reading ??= readNow().finally(() => (reading = undefined));
      return reading;
    },
    flush: () => own.flush(),
    /** While we still lead: the last that was learned is left behind. */
    async stop() {
      clearInterval(timer);
      await queue(AbortSignal.timeout(3000));
      stopping.abort();
      await writing;
    },
  };
}
