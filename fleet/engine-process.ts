import { fork, type ChildProcess } from "node:child_process";
import type { EngineStart, EngineUpdate, FromEngine, ToEngine } from "./engine/messages.ts";

/** One engine's child process, as the fleet sees it. */
export interface EngineProcess {
  readonly pid: number | null;
  /** The port it serves on; undefined until it says so. */
  port(): number | undefined;
  /** Resolves when it serves, or has ended. */
  readonly listening: Promise<void>;
  update(update: EngineUpdate): void;
  /** Lets it serve the last scrape, send its spans and end. */
  stop(lingerSeconds: number): void;
  /** Ends it at once, as `kill -9` would. */
  kill(): void;
  ended(): boolean;
  readonly exited: Promise<void>;
}

/** After its linger time a process gets this long before it is killed. */
const END_GRACE_MS = 6_000;

export interface EngineProcessEvents {
  /** It serves on its port now. */
  listening(): void;
  /** It ended without having been told to. */
  died(): void;
}

export function startEngineProcess(script: string, start: EngineStart, events: EngineProcessEvents): EngineProcess {
  const child = fork(script, [], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "json" });
  const state: { port: number | undefined; stopping: boolean; ended: boolean } = { port: undefined, stopping: false, ended: false };
  const exited = new Promise<void>((resolve) => {
    const over = (): void => {
      if (state.ended) return;
      state.ended = true;
      resolve();
      if (!state.stopping) events.died();
    };
    child.once("exit", over);
    // A process that could not be started reports an error and no exit.
    child.once("error", over);
  });
  const heard = new Promise<void>((resolve) => {
    child.on("message", (message: FromEngine) => {
      if (message.type !== "listening") return;
      state.port = message.port;
      events.listening();
      resolve();
    });
  });
  send(child, start);
  return {
    pid: child.pid ?? null,
    port: () => state.port,
    listening: Promise.race([heard, exited]),
    update: (update) => send(child, update),
    stop(lingerSeconds) {
      if (state.stopping) return;
      state.stopping = true;
      send(child, { type: "stop", lingerSeconds });
      const limit = setTimeout(() => child.kill("SIGKILL"), lingerSeconds * 1000 + END_GRACE_MS);
      void exited.then(() => clearTimeout(limit));
    },
    kill: () => void child.kill("SIGKILL"),
    ended: () => state.ended,
    exited,
  };
}

/** A message to a process that has just died is lost, as it would be in a real fleet. */
function send(child: ChildProcess, message: ToEngine): void {
  if (child.connected) child.send(message, () => undefined);
}
