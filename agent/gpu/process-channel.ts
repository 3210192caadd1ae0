import { type ChildProcess, fork } from "node:child_process";
import type { FromReaderProcess, ToReaderProcess } from "./process-messages.ts";

/** One run of a reader's process: a question at a time, its end, and the knife. */
export interface ProcessChannel {
  /** The next message it sends, what ended it, or undefined when the limit passes first. */
  ask(question: ToReaderProcess, limitSeconds: number): Promise<FromReaderProcess | Ended | undefined>;
  /** Ends it at once. One that hangs in the driver may take its time to go. */
  kill(): void;
  readonly ended: Promise<Ended>;
  endsWithin(seconds: number): Promise<boolean>;
}

export interface Ended {
  readonly type: "ended";
  readonly how: string;
}

/** The heap holds one reading and the program; V8's defaults would let garbage grow to tens of megabytes first (docs/performance.md). */
const NODE_OPTIONS = ["--max-semi-space-size=1", "--max-old-space-size=64", "--optimize-for-size", "--single-threaded"];

/** What it wrote last before it ended, for the error; a driver library may be talkative. */
const STDERR_KEPT = 512;

export function openProcess(program: string): ProcessChannel {
  const child = fork(program, [], { execArgv: NODE_OPTIONS, stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "json" });
  const end = endOf(child, lastWords(child));
  // An agent that stops does not wait for a driver that hangs; the process ends by itself when the channel closes.
  child.unref();
  child.channel?.unref();
  return {
    ended: new Promise((resolve) => end.tell(resolve)),
    kill: () => void child.kill("SIGKILL"),
    endsWithin: async (seconds) => (await within(seconds, end)) !== undefined,
    ask: (question, limitSeconds) =>
      within<FromReaderProcess>(limitSeconds, end, (take) => {
        const hear = (message: FromReaderProcess): void => {
          if ("id" in message && (question.type !== "read" || message.id !== question.id)) return;
          take(message);
        };
        child.on("message", hear);
        if (child.connected) child.send(question, () => undefined);
        return () => child.off("message", hear);
      }),
  };
}

/** The end of a process, for those who wait for it: at once when it is over. What they get takes them off again. */
interface End {
  tell(waiting: (how: Ended) => void): () => void;
}

function endOf(child: ChildProcess, said: () => string): End {
  const waiting = new Set<(how: Ended) => void>();
  let over: Ended | undefined;
  const end = (how: string): void => {
    over ??= { type: "ended", how };
    for (const tell of waiting) tell(over);
  };
  child.once("exit", (code, signal) => end(`ended ${signal === null ? `with code ${code}` : `by ${signal}`}${said()}`));
  child.once("error", (error) => end(`cannot run: ${error.message}`));
  return {
    tell(one) {
      if (over !== undefined) one(over);
      else waiting.add(one);
      return () => waiting.delete(one);
    },
  };
}

/**
 * What comes first: what `listen` takes, the end, or undefined after the time. Not a race of promises: each answer would be kept by the promise of
 * the end, which lives as long as the process.
 */
function within<T>(seconds: number, end: End, listen?: (take: (message: T) => void) => () => void): Promise<T | Ended | undefined> {
  return new Promise((resolve) => {
    const leave: (() => void)[] = [];
    const take = (first: T | Ended | undefined): void => {
      for (const stop of leave) stop();
      resolve(first);
    };
    const timer = setTimeout(take, seconds * 1000, undefined);
    leave.push(() => clearTimeout(timer));
    if (listen !== undefined) leave.push(listen(take));
    leave.push(end.tell(take));
  });
}

function lastWords(child: ChildProcess): () => string {
  let tail = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (tail = (tail + text).slice(-STDERR_KEPT)));
  return () => {
    const line = tail.trim().split("\n").at(-1) ?? "";
    return line === "" ? "" : `: ${line}`;
  };
}
