import { STATUS, statusName } from "./fields.ts";
import type { Engine, Entity } from "./values.ts";

/** Fields that the host engine looks at for us. */
export interface Watch {
  /** Those that it accepted. */
  readonly fields: readonly number[];
  /** Those that it refused, with its status. */
  readonly refused: ReadonlyMap<number, number>;
  readonly group: bigint;
  /** The groups that the accepted fields are in. */
  readonly fieldGroups: readonly bigint[];
  /** Ends it; a connection that is closed ends it too. */
  close(): void;
}

/** How long the host engine keeps samples: as long as events may wait for their reader. */
const KEEP_SECONDS = 60;
/** DCGM_GROUP_EMPTY. */
const EMPTY = 1;
/** Names of groups are for people, and must differ. */
let named = 0;

/** What was refused, for people: one sentence per status. */
export function refusals(watches: readonly Watch[]): readonly string[] {
  const byStatus = new Map<number, number[]>();
  for (const { refused } of watches) for (const [field, status] of refused) byStatus.set(status, [...(byStatus.get(status) ?? []), field]);
  return [...byStatus].map(([status, fields]) => `fields ${fields.join(", ")} are absent: ${statusName(status)}`);
}

/**
 * Has fields watched. Together if the host engine takes them together; else one by one, so that a field that an older release does not know, or
 * a counter that this GPU lacks, costs nothing but itself.
 */
export function watch({ library, handle }: Engine, entities: readonly Entity[], fields: readonly number[], seconds: number): Watch {
  const out = Buffer.alloc(8);
  const refused = new Map<number, number>();
  const fieldGroups: bigint[] = [];
  const name = (): string => `fulcrum-${process.pid}-${named++}`;

  const created = library.groupCreate(handle, EMPTY, name(), out);
  const group = created === STATUS.ok ? out.readBigUInt64LE() : 0n;
  const added = entities.map(({ group: kind, id }) => (created === STATUS.ok ? library.groupAddEntity(handle, group, kind, id) : created));
  const ungrouped = added.find((status) => status !== STATUS.ok);

  const one = (ids: readonly number[]): number => {
    const buffer = Buffer.alloc(ids.length * 2);
    for (const [i, id] of ids.entries()) buffer.writeUInt16LE(id, i * 2);
    const made = library.fieldGroupCreate(handle, ids.length, buffer, name(), out);
    if (made !== STATUS.ok) return made;
    const fieldGroup = out.readBigUInt64LE();
    const status = library.watch(handle, group, fieldGroup, Math.round(seconds * 1e6), Math.max(KEEP_SECONDS, 4 * seconds), 0);
    if (status === STATUS.ok) fieldGroups.push(fieldGroup);
    else library.fieldGroupDestroy(handle, fieldGroup);
    return status;
  };

  const all = ungrouped ?? (fields.length === 0 ? STATUS.ok : one(fields));
  if (all !== STATUS.ok)
    for (const field of fields) {
      const status = ungrouped ?? (fields.length === 1 ? all : one([field]));
      if (status !== STATUS.ok) refused.set(field, status);
    }
  return {
    ...{ fields: fields.filter((field) => !refused.has(field)), refused, group, fieldGroups },
    close() {
      for (const fieldGroup of fieldGroups) {
        library.unwatch(handle, group, fieldGroup);
        library.fieldGroupDestroy(handle, fieldGroup);
      }
      if (created === STATUS.ok) library.groupDestroy(handle, group);
    },
  };
}
