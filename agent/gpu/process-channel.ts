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

/** The heap holds one reading; V8's defaults would let garbage grow to tens of megabytes first. */
const NODE_OPTIONS = ["--max-semi-space-size=1", "--max-old-space-size=64"];

/** What it wrote last before it ended, for the error; a driver library may be talkative. */
const STDERR_KEPT = 512;

export function openProcess(program: string): ProcessChannel {
  const child = fork(program, [], { execArgv: NODE_OPTIONS, stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "json" });
  const said = lastWords(child);
  const ended = new Promise<Ended>((resolve) => {
    child.once("exit", (code, signal) =>
      resolve({ type: "ended", how: `ended ${signal === null ? `with code ${code}` : `by ${signal}`}${said()}` }),
    );
    child.once("error", (error) => resolve({ type: "ended", how: `cannot run: ${error.message}` }));
  });
  // An agent that stops does not wait for a driver that hangs; the process ends by itself when the channel closes.
  child.unref();
  child.channel?.unref();
  return {
    ended,
    kill: () => void child.kill("SIGKILL"),
    endsWithin: async (seconds) => (await before(ended, seconds)) !== undefined,
    async ask(question, limitSeconds) {
      const stop = new AbortController();
      const answer = new Promise<FromReaderProcess>((resolve) => {
        const hear = (message: FromReaderProcess): void => {
          if ("id" in message && (question.type !== "read" || message.id !== question.id)) return;
          resolve(message);
        };
        child.on("message", hear);
        stop.signal.addEventListener("abort", () => child.off("message", hear), { once: true });
      });
      if (child.connected) child.send(question, () => undefined);
      const first = await before(Promise.race([answer, ended]), limitSeconds);
      stop.abort();
      return first;
    },
  };
}

/** What comes within the time, or undefined. */
async function before<T>(coming: Promise<T>, seconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, seconds * 1000, undefined)));
  const first = await Promise.race([coming, limit]);
  clearTimeout(timer);
  return first;
}

function lastWords(child: ChildProcess): () => string {
  let tail = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (tail = (tail + text).slice(-STDERR_KEPT)));
  return () => {
    const line = tail.trim().split("\n").at(-1) ?? "";
    return line === "" ? "" : `: ${line}`;
  };
}
