import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Processes with a log file each, of which none outlives the others. */
export interface Processes {
  start(name: string, path: string, args: readonly string[]): void;
  /** Waits until `ready`; throws when a process ends first, with the end of what it said, or after a minute. */
  until(what: string, ready: () => Promise<boolean>): Promise<void>;
  end(name: string): Promise<void>;
  stop(): Promise<void>;
}

export function openProcesses(folder: string): Processes {
  const running = new Map<string, ChildProcess>();
  const said = (name: string): string => readFileSync(join(folder, `${name}.log`), "utf8").slice(-3000);

  function check(): void {
    for (const [name, child] of running)
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} has ended:\n${said(name)}`);
  }

  async function end(name: string): Promise<void> {
    const child = running.get(name);
    running.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  }

  return {
    start(name, path, args) {
      const log = openSync(join(folder, `${name}.log`), "a");
      running.set(name, spawn(path, args, { cwd: folder, stdio: ["ignore", log, log] }));
      closeSync(log);
    },
    async until(what, ready) {
      for (const deadline = Date.now() + 60_000; !(await ready().catch(() => false));) {
        check();
        if (Date.now() > deadline) throw new Error(`${what}: not within a minute\n${[...running.keys()].map(said).join("\n")}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    end,
    async stop() {
      // The last started first: nobody then waits for a server that is gone.
      for (const name of [...running.keys()].toReversed()) await end(name);
    },
  };
}
