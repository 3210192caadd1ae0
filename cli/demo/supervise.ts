import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Keeps one process running as a kubelet would: an unexpected end is followed by a new start after a second.
 * Its output goes to a log file.
 */
export interface Supervised {
  readonly name: string;
  pid(): number | undefined;
  restarts(): number;
  /** Resolves with the exit code when it ended before `stop` and may not be restarted. */
  readonly failed: Promise<number>;
  stop(): Promise<void>;
}

/** Ends in a row within a second of starting that mean: it cannot run at all. */
const GIVE_UP = 5;

export function supervise(options: {
  readonly name: string;
  readonly args: readonly string[];
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly onRestart?: (code: string) => void;
  readonly restart: boolean;
}): Supervised {
  const out = createWriteStream(options.log, { flags: "a" });
  let child: ChildProcess | undefined;
  let stopping = false;
  let restarts = 0;
  let quick = 0;
  let fail: (code: number) => void = () => undefined;
  const failed = new Promise<number>((resolve) => (fail = resolve));
  const start = (): void => {
    const at = Date.now();
    const c = spawn(process.execPath, options.args, {
      // Nothing is said over the channel: it breaks when this process is gone, however it ended, and then the part ends too.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, ...options.env },
    });
    child = c;
    c.stdout?.pipe(out, { end: false });
    c.stderr?.pipe(out, { end: false });
    c.once("exit", (code, signal) => {
      if (stopping) return;
      quick = Date.now() - at < 1500 ? quick + 1 : 0;
      if (!options.restart || quick >= GIVE_UP) return fail(code ?? 1);
      restarts += 1;
      options.onRestart?.(signal ?? `exit ${code}`);
      void sleep(1000).then(() => (stopping ? undefined : start()));
    });
  };
  start();
  return {
    name: options.name,
    pid: () => child?.pid,
    restarts: () => restarts,
    failed,
    stop: async () => {
      stopping = true;
      const c = child;
      if (c !== undefined && c.exitCode === null && c.signalCode === null) {
        const gone = once(c, "exit");
        c.kill("SIGTERM");
        const late = sleep(5000, "late", { ref: false });
        if ((await Promise.race([gone, late])) === "late") c.kill("SIGKILL");
        await gone;
      }
      await new Promise<void>((resolve) => out.end(resolve));
    },
  };
}
