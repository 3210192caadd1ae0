import { readFileSync } from "node:fs";
import { type Nvml, NvmlUnusable, openNvml } from "./nvml.ts";
import type { FromNvmlProcess, StartNvml, ToNvmlProcess } from "./process-messages.ts";

/**
 * The program of the NVML process: it answers one read at a time, in the order they come, and ends with its agent. It has no timers and no
 * state worth keeping, so that killing it costs nothing but the XIDs of the moment.
 */
let nvml: Nvml | undefined;

process.on("message", (message: ToNvmlProcess) => void (message.type === "start" ? start(message) : read(message.id)));
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole process group; the agent says when it is over.
process.on("SIGINT", () => undefined);

async function start({ library, proc }: StartNvml): Promise<void> {
  try {
    nvml = await openNvml(library, proc);
    send({ type: "ready", driver: nvml.driver, gpus: nvml.gpus });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    send({ type: "unusable", code: cause instanceof NvmlUnusable ? cause.code : "no-library", message });
  }
}

function read(id: number): void {
  try {
    if (nvml === undefined) return send({ type: "failed", id, message: "not started" });
    const reading = nvml.read(performance.now() / 1000);
    const { user, system } = process.cpuUsage();
    send({ type: "reading", id, reading, cpuSeconds: (user + system) / 1e6, privateBytes: privateBytes() });
  } catch (cause) {
    send({ type: "failed", id, message: cause instanceof Error ? cause.message : String(cause) });
  }
}

/** Resident pages less those shared with others; in pages, whose size differs between machines, so the runtime's figure in bytes sets the scale. */
function privateBytes(): number {
  const rss = process.memoryUsage.rss();
  const [, resident = 0, shared = 0] = readFileSync("/proc/self/statm", "latin1").split(" ").map(Number);
  return resident > 0 ? (rss * (resident - shared)) / resident : rss;
}

function send(message: FromNvmlProcess): void {
  if (process.connected) process.send?.(message, () => undefined);
}
