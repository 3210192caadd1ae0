import { counterDelta } from "../../core/distributions/delta.ts";
import type { GpuSample } from "../../core/engines/gpu-page.ts";
import { FAULT_XIDS } from "../../core/engines/xid.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { type GpuReport, LIMITS } from "../../wire/messages.ts";

/** What a GPU did since the last report. */
export interface GpuEvents {
  readonly gpu: string;
  readonly uuid: string;
  /** Seconds the clocks were held down, by reason; a reason is listed once the page shows it. */
  readonly throttleSeconds: ReadonlyMap<string, number>;
  /** XID events by code; fault codes are listed once the page shows XIDs at all. */
  readonly xid: ReadonlyMap<number, number>;
  /** ECC errors by kind. */
  readonly ecc: ReadonlyMap<string, number>;
}

/** What the agent remembers of one GPU between scrapes. */
export interface GpuState {
  readonly sample: GpuSample;
  readonly at: number;
  readonly events: GpuEvents;
}

/** A page away for longer says nothing of the time between; dcgm-exporter itself looks every 30 s unless told otherwise. */
const LONGEST_GAP = 30;

/** Two pages of one GPU → its state. The first page sets every baseline. */
export function observeGpu(before: GpuState | undefined, sample: GpuSample, at: number): GpuState {
  const { gpu, uuid } = sample;
  const last = before?.sample ?? sample;
  const gap = before === undefined ? 0 : Math.min(LONGEST_GAP, Math.max(0, at - before.at));
  const counted = addSteps(before?.events.throttleSeconds, last.throttleSecondsByReason, sample.throttleSecondsByReason);
  const throttleSeconds = addSeen(counted, sample, gap);
  const ecc = addSteps(before?.events.ecc, last.eccErrors, sample.eccErrors);
  return { sample, at, events: { gpu, uuid, throttleSeconds, xid: addXid(before?.events.xid, last.lastXid, sample.lastXid), ecc } };
}

/**
 * The page's last XID is sticky (it never goes back to 0), so only a CHANGE of code is an event (some exporters show the field only
 * from the first XID on); the same code twice in a row cannot be seen this way, and the first page's may be days old.
 */
function addXid(sofar: ReadonlyMap<number, number> | undefined, last: number | undefined, now: number | undefined): Map<number, number> {
  const out = new Map(sofar);
  if (now === undefined) return out;
  for (const code of FAULT_XIDS) out.set(code, out.get(code) ?? 0);
  if (now !== 0 && now !== last) out.set(now, (out.get(now) ?? 0) + 1);
  return out;
}

/** Time by reason where the page only says what is in force now: a reason seen counts for all the time since the last page. */
function addSeen(
  counted: ReadonlyMap<string, number>,
  { throttling, throttleSecondsByReason }: GpuSample,
  gap: number,
): Map<string, number> {
  const out = new Map(counted);
  for (const [reason, active] of Object.entries(throttling ?? {})) {
    // The driver's own time is exact, where there is one.
    if (throttleSecondsByReason?.[reason] === undefined) out.set(reason, (out.get(reason) ?? 0) + (active ? gap : 0));
  }
  return out;
}

function addSteps(
  sofar: ReadonlyMap<string, number> | undefined,
  before: Readonly<Record<string, number>> = {},
  now: Readonly<Record<string, number>> = {},
): ReadonlyMap<string, number> {
  const out = new Map(sofar);
  // A kind first seen now may have counted for days before: it starts here.
  for (const [kind, total] of Object.entries(now)) out.set(kind, (out.get(kind) ?? 0) + counterDelta(total, before[kind] ?? total).delta);
  return out;
}

/** Takes the events out; kinds stay listed at zero, because the page has them. */
export const drainedGpu = (state: GpuState): GpuState => {
  const { throttleSeconds, xid, ecc } = state.events;
  return { ...state, events: { ...state.events, throttleSeconds: zeroed(throttleSeconds), xid: zeroed(xid), ecc: zeroed(ecc) } };
};

const zeroed = <K>(events: ReadonlyMap<K, number>): Map<K, number> => new Map([...events.keys()].map((kind) => [kind, 0]));

/** GPUs as reported, with the pool of the pod that holds each; an unknown pod keeps its name and has no pool. */
export function gpuReports(states: Iterable<GpuState>, targets: readonly EngineTarget[], now: number): GpuReport[] {
  const reports: GpuReport[] = [];
  for (const state of states) {
    if (reports.length >= LIMITS.gpusPerReport) break;
    const { sample } = state;
    const { throttleSeconds } = state.events;
    const xid = [...state.events.xid].filter(([, count]) => count > 0);
    const holder = targets.find(
      (t) => t.pod === sample.pod && (sample.namespace === undefined || sample.namespace === "" || sample.namespace === t.namespace),
    );
    reports.push({
      gpu: sample.gpu,
      uuid: sample.uuid,
      ...(sample.pod !== undefined && sample.pod !== "" && { pod: sample.pod }),
      ...(holder !== undefined && { pool: holder.pool, role: holder.role }),
      age: Math.max(0, now - state.at),
      ...figures(sample),
      // Reasons overlap in time; the longest is a lower bound of the time held down, their sum would not be.
      ...(throttleSeconds.size > 0 && { throttleSeconds: Math.max(...throttleSeconds.values()) }),
      ...(xid.length > 0 && { xid: xid.map(([code, count]) => ({ xid: code, count })) }),
    });
  }
  return reports;
}

const FIGURES = [
  "smActive",
  "tensorActive",
  "dramActive",
  "memoryUsedBytes",
  "memoryTotalBytes",
  "powerWatts",
  "temperatureCelsius",
  "pcieReceiveBytesPerSecond",
  "pcieTransmitBytesPerSecond",
  "nvlinkReceiveBytesPerSecond",
  "nvlinkTransmitBytesPerSecond",
] as const satisfies readonly (keyof GpuReport & keyof GpuSample)[];

function figures(sample: GpuSample): Partial<Record<(typeof FIGURES)[number], number>> {
  const out: Partial<Record<(typeof FIGURES)[number], number>> = {};
  for (const name of FIGURES) {
    const value = sample[name];
    if (value !== undefined) out[name] = value;
  }
  return out;
}
