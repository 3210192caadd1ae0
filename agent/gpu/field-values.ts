import { RC } from "./fields.ts";
import { LAYOUT } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";

const { fieldValue: layout } = LAYOUT;

/** NVML_VALUE_TYPE_*, and how each is read out of the union. */
const READERS: Readonly<Record<number, (buffer: Buffer, at: number) => number>> = {
  0: (b, at) => b.readDoubleLE(at),
  1: (b, at) => b.readUInt32LE(at),
  2: (b, at) => Number(b.readBigUInt64LE(at)),
  3: (b, at) => Number(b.readBigUInt64LE(at)),
  4: (b, at) => Number(b.readBigInt64LE(at)),
  5: (b, at) => b.readInt32LE(at),
  6: (b, at) => b.readUInt16LE(at),
};

/** Reads a fixed set of fields of one GPU in one call. A field that the GPU lacks is missing from the answer. */
export function createFieldReader(nvml: NvmlLibrary, device: bigint, ids: readonly number[]): () => ReadonlyMap<number, number> {
  const { fieldValues } = nvml;
  const buffer = Buffer.alloc(ids.length * layout.size);
  return () => {
    const values = new Map<number, number>();
    if (fieldValues === undefined) return values;
    buffer.fill(0);
    for (const [i, id] of ids.entries()) buffer.writeUInt32LE(id, i * layout.size + layout.fieldId);
    if (fieldValues(device, ids.length, buffer) !== RC.success) return values;
    for (const [i, id] of ids.entries()) {
      const at = i * layout.size;
      if (buffer.readUInt32LE(at + layout.nvmlReturn) !== RC.success) continue;
      const value = READERS[buffer.readUInt32LE(at + layout.valueType)]?.(buffer, at + layout.value);
      if (value !== undefined && Number.isFinite(value)) values.set(id, value);
    }
    return values;
  };
}
