import { RC } from "./fields.ts";
import { LAYOUT, structVersion } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";

/** A number that NVML writes behind a pointer, unless the call fails or the driver lacks it. */
export function number32(call: (buffer: Buffer) => number | undefined): number | undefined {
  const buffer = Buffer.alloc(4);
  return call(buffer) === RC.success ? buffer.readUInt32LE() : undefined;
}

/** NVML's longest texts, names and UUIDs, are 96 bytes with their terminator. */
export function text(call: (buffer: Buffer) => number): string | undefined {
  const buffer = Buffer.alloc(96);
  return call(buffer) === RC.success ? buffer.toString("latin1", 0, Math.max(0, buffer.indexOf(0))) : undefined;
}

export interface MemoryFigures {
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
}

/** Memory of a GPU or of a MIG device; `rc` is what the call said, by which one that is gone is known. */
export function createMemoryReader(nvml: NvmlLibrary, device: bigint): () => { readonly figures: MemoryFigures; readonly rc: number } {
  const { memoryV2 } = LAYOUT;
  const memory = Buffer.alloc(memoryV2.size);
  return () => {
    memory.fill(0).writeUInt32LE(structVersion(memoryV2.size, 2), memoryV2.version);
    const rc = nvml.memory?.(device, memory) ?? RC.functionNotFound;
    if (rc !== RC.success) return { figures: {}, rc };
    const [used, total] = [memory.readBigUInt64LE(memoryV2.used), memory.readBigUInt64LE(memoryV2.total)];
    return { figures: { memoryUsedBytes: Number(used), memoryTotalBytes: Number(total) }, rc };
  };
}
