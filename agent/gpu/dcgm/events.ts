import type { PodOfProcess } from "../pod-of-process.ts";
import type { GpuProcess, GpuReading } from "../reading.ts";
import { ENTITY, FIELD, STATUS } from "./fields.ts";
import { DCGM_LAYOUT } from "./layout.ts";
import { type Engine, type Entity, decode } from "./values.ts";
import { watch } from "./watch.ts";

export interface GpuHappenings {
  readonly xid: GpuReading["xid"];
  readonly processes?: readonly GpuProcess[];
}

export interface Happenings {
  /** What is new since the last take, by GPU. `newest` is the time of the newest value that the host engine has for anything. */
  take(newest: number): ReadonlyMap<number, GpuHappenings>;
}

/** Samples of one GPU that arrived with one take. */
interface Arrived {
  readonly xids: Map<number, number>;
  readonly processes: { readonly ts: number; readonly pid: number; readonly memory: number | undefined }[];
}

/**
 * XIDs and processes, which are not values but samples: every XID is one, and each look of the host engine appends one per running process.
 * Both are asked for since the last time, so that two XIDs within a second are two. Those from before the first take belong to nobody.
 */
export function watchHappenings(engine: Engine, gpus: readonly Entity[], seconds: number, podOf: PodOfProcess): Happenings {
  const watched = watch(engine, gpus, [FIELD.xid, FIELD.computePids], seconds);
  const next = watched.fieldGroups.map(() => 0n);
  const running = new Map<number, { readonly ts: number; readonly processes: readonly GpuProcess[] }>();
  const micros = seconds * 1e6;
  let first = true;

  const fetch = (): ReadonlyMap<number, Arrived> => {
    const arrived = new Map<number, Arrived>(gpus.map(({ id }) => [id, { xids: new Map(), processes: [] }]));
    const out = Buffer.alloc(8);
    for (const [i, fieldGroup] of watched.fieldGroups.entries()) {
      const since = next[i] ?? 0n;
      out.writeBigInt64LE(since);
      const rc = engine.library.valuesSince(engine.handle, watched.group, fieldGroup, since, out, (kind, id, value) => {
        const gpu = kind === ENTITY.gpu ? arrived.get(id) : undefined;
        if (gpu !== undefined) keep(gpu, value);
      });
      if (rc === STATUS.ok) next[i] = out.readBigInt64LE();
    }
    return arrived;
  };

  return {
    take(newest) {
      const arrived = fetch();
      const happenings = new Map<number, GpuHappenings>();
      for (const [gpu, { xids, processes }] of arrived) {
        const last = Math.max(...processes.map((p) => p.ts));
        if (processes.length > 0) running.set(gpu, { ts: last, processes: newestOf(processes, last - micros / 2, podOf) });
        // Without a process a look leaves no sample, so that the last ones stand until they are old.
        const now = running.get(gpu);
        const known = watched.refused.has(FIELD.computePids)
          ? undefined
          : now !== undefined && newest - now.ts < 2.5 * micros
            ? now.processes
            : [];
        const xid = first ? [] : [...xids].map(([code, count]) => ({ xid: code, count }));
        happenings.set(gpu, { xid, ...(known !== undefined && { processes: known }) });
      }
      first = false;
      return happenings;
    },
  };
}

function keep({ xids, processes }: Arrived, bytes: Buffer): void {
  const { fieldValueV1: layout, runningProcess: process } = DCGM_LAYOUT;
  const field = bytes.readUInt16LE(layout.fieldId);
  const { status, ts, value } = decode(bytes, 0, layout);
  if (status !== STATUS.ok) return;
  if (field === FIELD.xid && typeof value === "number" && value > 0) xids.set(value, (xids.get(value) ?? 0) + 1);
  if (field !== FIELD.computePids || bytes.readUInt16LE(layout.fieldType) !== "b".charCodeAt(0)) return;
  const memory = bytes.readBigUInt64LE(layout.value + process.memoryUsed);
  const known = memory < 0x7ffffffffffffff0n;
  processes.push({ ts, pid: bytes.readUInt32LE(layout.value + process.pid), memory: known ? Number(memory) : undefined });
}

/** The samples of the last look; their times may differ by a little. */
function newestOf(samples: Arrived["processes"], from: number, podOf: PodOfProcess): readonly GpuProcess[] {
  const byPid = new Map(samples.filter((s) => s.ts >= from).map((s) => [s.pid, s]));
  return [...byPid.values()].map(({ pid, memory }) => {
    const podUid = podOf(pid);
    return { pid, ...(memory !== undefined && { memoryBytes: memory }), ...(podUid !== undefined && { podUid }) };
  });
}
