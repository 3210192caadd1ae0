import { RC } from "./fields.ts";
import { LAYOUT } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";
import type { PodOfProcess } from "./pod-of-process.ts";
import type { GpuProcess } from "./reading.ts";

const { processInfo: layout } = LAYOUT;

/** A GPU that more processes share than this is not serving a model; those beyond are not listed. */
const MAX_PROCESSES = 1024;
/** NVML_VALUE_NOT_AVAILABLE. */
const UNKNOWN_MEMORY = 0xffffffffffffffffn;

/** The processes that hold a context on one GPU. PIDs are the host's, so the agent must share the host's PID namespace to make anything of them. */
export function createProcessLister(nvml: NvmlLibrary, device: bigint, podOf: PodOfProcess): () => readonly GpuProcess[] | undefined {
  const { processes } = nvml;
  const count = Buffer.alloc(4);
  let capacity = 16;
  let buffer = Buffer.alloc(capacity * layout.size);

  const fill = (): number | undefined => {
    if (processes === undefined) return undefined;
    for (;;) {
      count.writeUInt32LE(capacity);
      const rc = processes(device, count, buffer);
      if (rc === RC.success) return Math.min(count.readUInt32LE(), capacity);
      if (rc !== RC.insufficientSize || capacity >= MAX_PROCESSES) return undefined;
      capacity = Math.min(MAX_PROCESSES, Math.max(capacity * 2, count.readUInt32LE() + 8));
      buffer = Buffer.alloc(capacity * layout.size);
    }
  };

  return () => {
    const found = fill();
    if (found === undefined) return undefined;
    return Array.from({ length: found }, (_, i) => {
      const at = i * layout.size;
      const pid = buffer.readUInt32LE(at + layout.pid);
      const memory = buffer.readBigUInt64LE(at + layout.usedGpuMemory);
      const podUid = podOf(pid);
      return { pid, ...(memory !== UNKNOWN_MEMORY && { memoryBytes: Number(memory) }), ...(podUid !== undefined && { podUid }) };
    });
  };
}
