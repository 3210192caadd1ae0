import { readFileSync } from "node:fs";
import { type FromReaderProcess, ReaderUnusable, type StartDcgm, type StartNvml, type ToReaderProcess } from "./process-messages.ts";
import type { GpusReading } from "./reading.ts";

/** A library that has been opened. */
export interface OpenReader {
  readonly driver: string;
  readonly gpus: number;
  /** `now` is monotonic seconds. */
  read(now: number): GpusReading;
}

/**
 * The program of a reader's process: it answers one read at a time, in the order they come, and ends with its agent. It has no timers and no
 * state worth keeping, so that killing it costs nothing but the XIDs of the moment.
 */
export function serveReads(open: (start: StartNvml | StartDcgm) => Promise<OpenReader>): void {
  let reader: OpenReader | undefined;

  const start = async (message: StartNvml | StartDcgm): Promise<void> => {
    try {
      reader = await open(message);
      send({ type: "ready", driver: reader.driver, gpus: reader.gpus });
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      send({ type: "unusable", code: cause instanceof ReaderUnusable ? cause.code : "no-library", message: said });
    }
  };

  const read = (id: number): void => {
    try {
      if (reader === undefined) return send({ type: "failed", id, message: "not started" });
      const reading = reader.read(performance.now() / 1000);
      const { user, system } = process.cpuUsage();
      send({ type: "reading", id, reading, cpuSeconds: (user + system) / 1e6, privateBytes: privateBytes() });
    } catch (cause) {
      send({ type: "failed", id, message: cause instanceof Error ? cause.message : String(cause) });
    }
  };

  process.on("message", (message: ToReaderProcess) => void (message.type === "read" ? read(message.id) : start(message)));
  // Not exit(): the exit handlers of a library with threads of its own may hang, and there is nothing to save.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // Ctrl-C reaches the whole process group; the agent says when it is over.
  process.on("SIGINT", () => undefined);
}

/** Resident pages less those shared with others; in pages, whose size differs between machines, so the runtime's figure in bytes sets the scale. */
function privateBytes(): number {
  const rss = process.memoryUsage.rss();
  const [, resident = 0, shared = 0] = readFileSync("/proc/self/statm", "latin1").split(" ").map(Number);
  return resident > 0 ? (rss * (resident - shared)) / resident : rss;
}

function send(message: FromReaderProcess): void {
  if (process.connected) process.send?.(message, () => undefined);
}
