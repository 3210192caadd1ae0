import { type ProcessChannel, openProcess } from "./process-channel.ts";
import type { StartDcgm, StartNvml, Unusable } from "./process-messages.ts";
import type { GpusReading } from "./reading.ts";

export interface ReaderSupervisorOptions {
  /** What is read, for people: "NVML". */
  readonly name: string;
  readonly program: string;
  readonly start: StartNvml | StartDcgm;
  /** Monotonic seconds. */
  readonly clock: () => number;
  /** Seconds; nvmlInit takes seconds per GPU where the driver is not kept loaded. */
  readonly startLimit: number;
  /** A read that takes longer hangs. */
  readonly readLimit: number;
  restarted(reason: RestartReason): void;
}

/** Why the process was replaced: it ended by itself, did not answer, or saw no GPU any more although the node has some. */
export type RestartReason = "crash" | "hang" | "lost";

export type ReadOutcome =
  | { readonly ok: true; readonly reading: GpusReading; readonly cpuSeconds: number; readonly privateBytes: number }
  | { readonly ok: false; readonly error: string; readonly unusable?: Unusable };

export interface ReaderSupervisor {
  /** Never rejects and never takes longer than the limits. One at a time. */
  read(): Promise<ReadOutcome>;
  close(): void;
}

/** Waits before the second, third… start: a driver that crashes its caller must not cost a process start per second. */
const FIRST_WAIT = 1;
const LAST_WAIT = 300;
/** After this long without a failure the next one counts as the first. */
const FORGIVEN_AFTER = 60;
/** A driver that was installed or a GPU that was freed meanwhile is noticed within this time. */
const UNUSABLE_WAIT = 300;
/** A host engine is a service that comes back by itself after its restart. */
const HOST_ENGINE_WAIT = 30;
/** A killed process is gone within milliseconds unless the kernel holds it. */
const LEAVE_LIMIT = 2;
/** Reads in a row in which no GPU could be read; then the library is opened anew, which is what ends error 999 after the container lost its devices. */
const LOST_READS = 5;

/**
 * Keeps the process of one reader: starts it when first asked, replaces it with growing waits when it crashes or hangs. A process that a hung driver
 * call holds in the kernel outlives SIGKILL; no second one is started before it is gone, so they never pile up.
 */
export function createReaderSupervisor(options: ReaderSupervisorOptions): ReaderSupervisor {
  const { clock } = options;
  let channel: ProcessChannel | undefined;
  let leaving: ProcessChannel | undefined;
  let closed = false;
  let failures = 0;
  let lost = 0;
  let startedAt = 0;
  let retryAt = Number.NEGATIVE_INFINITY;
  const who = `the ${options.name} process`;
  let problem = "not started";
  let unusable: Unusable | undefined;
  let nextId = 0;

  const failed = (): ReadOutcome => ({ ok: false, error: problem, ...(unusable !== undefined && { unusable }) });

  const drop = (dropped: ProcessChannel): void => {
    channel = undefined;
    leaving = dropped;
    dropped.kill();
    void dropped.ended.then(() => {
      if (leaving === dropped) leaving = undefined;
    });
  };

  const giveUp = (dropped: ProcessChannel, reason: RestartReason, how: string): ReadOutcome => {
    if (closed) return { ok: false, error: "closed" };
    drop(dropped);
    failures = clock() - startedAt > FORGIVEN_AFTER ? 1 : failures + 1;
    const wait = Math.min(LAST_WAIT, FIRST_WAIT * 2 ** (failures - 1));
    retryAt = clock() + wait;
    problem = `${who} ${how}; it is started again after ${wait} s`;
    unusable = undefined;
    options.restarted(reason);
    return failed();
  };

  const start = async (): Promise<ProcessChannel | ReadOutcome> => {
    if (clock() < retryAt) return failed();
    if (leaving !== undefined && !(await leaving.endsWithin(LEAVE_LIMIT))) {
      problem = `${who} hangs in the driver and cannot be ended; this node's driver or GPU needs attention`;
      return failed();
    }
    const opened = openProcess(options.program);
    channel = opened;
    startedAt = clock();
    lost = 0;
    const answer = await opened.ask(options.start, options.startLimit);
    if (answer?.type === "ready") return opened;
    if (answer?.type === "unusable") {
      drop(opened);
      retryAt = clock() + (answer.code === "no-host-engine" ? HOST_ENGINE_WAIT : UNUSABLE_WAIT);
      problem = answer.message;
      unusable = answer.code;
      return failed();
    }
    return answer?.type === "ended"
      ? giveUp(opened, "crash", answer.how)
      : giveUp(opened, "hang", `did not start within ${options.startLimit} s`);
  };

  return {
    async read() {
      if (closed) return { ok: false, error: "closed" };
      const running = channel ?? (await start());
      if ("ok" in running) return running;
      const answer = await running.ask({ type: "read", id: nextId++ }, options.readLimit);
      if (answer === undefined) return giveUp(running, "hang", `did not answer within ${options.readLimit} s`);
      if (answer.type === "ended") return giveUp(running, "crash", answer.how);
      if (answer.type !== "reading") return { ok: false, error: "message" in answer ? answer.message : `unexpected ${answer.type}` };
      const { reading, cpuSeconds, privateBytes } = answer;
      lost = reading.gpus.length === 0 ? lost + 1 : 0;
      if (lost >= LOST_READS) return giveUp(running, "lost", `reads no GPU any more (${reading.lost[0] ?? "no reason given"})`);
      return { ok: true, reading, cpuSeconds, privateBytes };
    },
    close() {
      closed = true;
      channel?.kill();
    },
  };
}
