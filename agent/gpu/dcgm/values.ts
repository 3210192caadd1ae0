import { structVersion } from "../layout.ts";
import { ReaderUnusable } from "../process-messages.ts";
import { STATUS } from "./fields.ts";
import { DCGM_LAYOUT } from "./layout.ts";
import type { DcgmLibrary } from "./library.ts";

export interface Engine {
  readonly library: DcgmLibrary;
  readonly handle: bigint;
}

export interface Entity {
  readonly group: number;
  readonly id: number;
}

export interface FieldValue {
  readonly status: number;
  /** Microseconds since 1970 by the host engine's clock. */
  readonly ts: number;
  /** Missing when the status is not good, or when it is one of DCGM's blanks. */
  readonly value?: number | string;
}

export interface Values {
  /** Return code of the whole call. */
  readonly rc: number;
  of(entity: Entity, field: number): FieldValue | undefined;
  all(): Iterable<FieldValue>;
}

/** DCGM_INT64_BLANK; its successors say why: not found, not supported, no permission. */
const INT64_BLANK = 0x7ffffffffffffff0n;
/** DCGM_FP64_BLANK, 2^47. */
const FP64_BLANK = 140737488355328;
/** DCGM_FV_FLAG_LIVE_DATA: asks the driver instead of the host engine's cache. */
export const LIVE = 1;

/** Reads one and the same set of fields of one set of entities, one call per read. */
export function createValueReader(
  { library, handle }: Engine,
  entities: readonly Entity[],
  fields: readonly number[],
  flags = 0,
): () => Values {
  const { entityPair: pair, fieldValueV2: layout } = DCGM_LAYOUT;
  const version = structVersion(layout.size, 2);
  const pairs = Buffer.alloc(entities.length * pair.size);
  for (const [i, { group, id }] of entities.entries()) {
    pairs.writeInt32LE(group, i * pair.size + pair.entityGroupId);
    pairs.writeUInt32LE(id, i * pair.size + pair.entityId);
  }
  const ids = Buffer.alloc(fields.length * 2);
  for (const [i, field] of fields.entries()) ids.writeUInt16LE(field, i * 2);
  const count = entities.length * fields.length;
  const buffer = Buffer.alloc(count * layout.size);
  const read = (): number => {
    for (let at = 0; at < buffer.length; at += layout.size) {
      buffer.writeUInt32LE(version, at + layout.version);
      // What the library leaves untouched is no data, not the value of the read before.
      buffer.writeInt32LE(STATUS.noData, at + layout.status);
    }
    return library.latest(handle, pairs, entities.length, ids, fields.length, flags, buffer);
  };
  return () => {
    const rc = count === 0 ? STATUS.ok : read();
    const values = new Map<string, FieldValue>();
    for (let at = 0; rc === STATUS.ok && at < buffer.length; at += layout.size) {
      const found = buffer.readUInt32LE(at + layout.version);
      if (found !== version)
        throw new ReaderUnusable("version", `libdcgm fills values of version ${found.toString(16)}, not ${version.toString(16)}`);
      const key = keyOf(
        { group: buffer.readInt32LE(at + layout.entityGroupId), id: buffer.readUInt32LE(at + layout.entityId) },
        buffer.readUInt16LE(at + layout.fieldId),
      );
      values.set(key, decode(buffer, at, layout));
    }
    return { rc, of: (entity, field) => values.get(keyOf(entity, field)), all: () => values.values() };
  };
}

const keyOf = ({ group, id }: Entity, field: number): string => `${group}:${id}:${field}`;

/** One dcgmFieldValue of either version. */
export function decode(
  buffer: Buffer,
  at: number,
  layout: { readonly status: number; readonly ts: number; readonly fieldType: number; readonly value: number },
): FieldValue {
  const status = buffer.readInt32LE(at + layout.status);
  const ts = Number(buffer.readBigInt64LE(at + layout.ts));
  const value =
    status === STATUS.ok ? contents(buffer, at + layout.value, String.fromCharCode(buffer.readUInt16LE(at + layout.fieldType))) : undefined;
  return { status, ts, ...(value !== undefined && { value }) };
}

function contents(buffer: Buffer, at: number, type: string): number | string | undefined {
  if (type === "d") {
    const value = buffer.readDoubleLE(at);
    return Number.isFinite(value) && value < FP64_BLANK ? value : undefined;
  }
  if (type === "i" || type === "t") {
    const value = buffer.readBigInt64LE(at);
    return value < INT64_BLANK ? Number(value) : undefined;
  }
  if (type !== "s") return undefined;
  // DCGM_MAX_STR_LENGTH is 256 with the terminator.
  const text = buffer.toString("latin1", at, at + 256);
  const end = text.indexOf("\0");
  return end < 0 || text.startsWith("<<<") ? undefined : text.slice(0, end);
}
