import { EVENT_XID, RC, rcName } from "./fields.ts";
import { LAYOUT } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";

export interface XidCount {
  readonly xid: number;
  readonly count: number;
  /** The MIG instance it happened in, where the driver says so. */
  readonly instance?: number;
}

export interface XidEvents {
  /** Device handle → XIDs since the last take. */
  take(): ReadonlyMap<bigint, readonly XidCount[]>;
  readonly problem: string | undefined;
}

/** A GPU in agony can send XIDs faster than they are read; what is left waits in the driver for the next read. */
const MAX_PER_READ = 1000;

/** What stands for "no MIG instance". */
const NO_INSTANCE = 0xffffffff;

/**
 * XIDs as events: each one that the driver delivers is counted once, so the same XID twice is two. The driver queues them between reads;
 * those from before the process started belong to nobody.
 */
export function openXidEvents(nvml: NvmlLibrary, devices: readonly bigint[]): XidEvents {
  const { eventSetCreate, registerEvents, eventSetWait } = nvml;
  const none = (problem: string): XidEvents => ({ take: () => new Map(), problem });
  if (eventSetCreate === undefined || registerEvents === undefined || eventSetWait === undefined)
    return none("XID events: not in this driver");
  const out = Buffer.alloc(8);
  const created = eventSetCreate(out);
  if (created !== RC.success) return none(`XID events: ${rcName(created)}`);
  const set = out.readBigUInt64LE();
  const refused = devices.map((device) => registerEvents(device, EVENT_XID, set)).filter((rc) => rc !== RC.success);
  const [first] = refused;
  const event = Buffer.alloc(LAYOUT.eventData.size);
  return {
    problem: first === undefined ? undefined : `XID events of ${refused.length} of ${devices.length} GPUs: ${rcName(first)}`,
    take() {
      const found = new Map<bigint, Map<string, XidCount>>();
      // A timeout of 0 returns at once when nothing is queued.
      for (let i = 0; i < MAX_PER_READ && eventSetWait(set, event, 0) === RC.success; i++) {
        if ((event.readBigUInt64LE(LAYOUT.eventData.eventType) & EVENT_XID) === 0n) continue;
        const device = event.readBigUInt64LE(LAYOUT.eventData.device);
        const xid = Number(event.readBigUInt64LE(LAYOUT.eventData.eventData));
        const instance = event.readUInt32LE(LAYOUT.eventData.gpuInstanceId);
        const counts = found.get(device) ?? new Map<string, XidCount>();
        const key = `${instance}:${xid}`;
        const count = (counts.get(key)?.count ?? 0) + 1;
        found.set(device, counts.set(key, { xid, count, ...(instance !== NO_INSTANCE && { instance }) }));
      }
      return new Map([...found].map(([device, counts]) => [device, [...counts.values()]]));
    },
  };
}
