import { counterDelta } from "../../core/distributions/delta.ts";
import type { GpuSample } from "../../core/engines/gpu-page.ts";
import { FAULT_XIDS } from "../../core/engines/xid.ts";
import { type GpuHolders, noHolders } from "../../core/kubelet/gpu-holders.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { type GpuReport, LIMITS } from "../../wire/messages.ts";
import { holderOf } from "./gpu-holder.ts";

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
  readonly sample: GpuDetail;
  readonly at: number;
  readonly events: GpuEvents;
}

/** A page away for longer says nothing of the time between; dcgm-exporter itself looks every 30 s unless told otherwise. */
const LONGEST_GAP = 30;

/** Two samples of one GPU → its state. The first sets every baseline. */
export function observeGpu(before: GpuState | undefined, sample: GpuDetail, at: number): GpuState {
  const { gpu, uuid } = sample;
  const last = before?.sample ?? sample;
  const gap = before === undefined ? 0 : Math.min(LONGEST_GAP, Math.max(0, at - before.at));
  const counted = addSteps(before?.events.throttleSeconds, last.throttleSecondsByReason, sample.throttleSecondsByReason);
  const throttleSeconds = addSeen(counted, sample, gap);
  const ecc = addSteps(before?.events.ecc, last.eccErrors, sample.eccErrors);
  const xid =
    sample.xidEvents === undefined
      ? addXid(before?.events.xid, last.lastXid, sample.lastXid)
      : addXidEvents(before?.events.xid, sample.xidEvents);
  return { sample, at, events: { gpu, uuid, throttleSeconds, xid, ecc } };
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

/** A reader that gets XIDs as events lists them, and each counts. */
function addXidEvents(sofar: ReadonlyMap<number, number> | undefined, events: NonNullable<GpuDetail["xidEvents"]>): Map<number, number> {
  const out = new Map(sofar);
  for (const code of FAULT_XIDS) out.set(code, out.get(code) ?? 0);
  for (const { xid, count } of events) out.set(xid, (out.get(xid) ?? 0) + count);
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

/** A sample with the details that not every GPU reader provides. */
export type GpuDetail = GpuSample & {
  readonly smOccupancy?: number;
  readonly fp64Active?: number;
  readonly fp32Active?: number;
  readonly fp16Active?: number;
  readonly smClockHertz?: number;
  readonly memoryClockHertz?: number;
  readonly memoryTemperatureCelsius?: number;
  /** Since the sample before; what `lastXid` cannot tell. */
  readonly xidEvents?: readonly { readonly xid: number; readonly count: number }[];
  readonly remappedRows?: NonNullable<GpuReport["remappedRows"]>;
  readonly mig?: boolean;
  /** Kubernetes UIDs of the pods whose processes are on this GPU. */
  readonly podUids?: readonly string[];
};

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
export function gpuReports(
  states: Iterable<GpuState>,
  targets: readonly EngineTarget[],
  now: number,
  holders: GpuHolders = noHolders,
): GpuReport[] {
  const reports: GpuReport[] = [];
  for (const state of states) {
    if (reports.length >= LIMITS.gpusPerReport) break;
    const { sample } = state;
    const { throttleSeconds } = state.events;
    const xid = [...state.events.xid].filter(([, count]) => count > 0);
    reports.push({
      gpu: sample.gpu,
      uuid: sample.uuid,
      ...holderOf(sample, targets, holders),
      age: Math.max(0, now - state.at),
      ...figures(sample),
      // Reasons overlap in time; the longest is a lower bound of the time held down, their sum would not be.
      ...(throttleSeconds.size > 0 && { throttleSeconds: Math.max(...throttleSeconds.values()) }),
      ...(xid.length > 0 && { xid: xid.map(([code, count]) => ({ xid: code, count })) }),
      ...(sample.remappedRows !== undefined && { remappedRows: sample.remappedRows }),
      ...(sample.mig !== undefined && { mig: sample.mig }),
      ...(sample.instance !== undefined && { instance: sample.instance }),
    });
  }
  return reports;
}

const FIGURES = [
  "smActive",
  "smOccupancy",
  "tensorActive",
  "fp64Active",
  "fp32Active",
  "fp16Active",
  "dramActive",
  "memoryUsedBytes",
  "memoryTotalBytes",
  "powerWatts",
  "temperatureCelsius",
  "memoryTemperatureCelsius",
  "smClockHertz",
  "memoryClockHertz",
  "pcieReceiveBytesPerSecond",
  "pcieTransmitBytesPerSecond",
  "nvlinkReceiveBytesPerSecond",
  "nvlinkTransmitBytesPerSecond",
] as const satisfies readonly (keyof GpuReport & keyof GpuDetail)[];

function figures(sample: GpuDetail): Partial<Record<(typeof FIGURES)[number], number>> {
  const out: Partial<Record<(typeof FIGURES)[number], number>> = {};
  for (const name of FIGURES) {
    const value = sample[name];
    if (value !== undefined) out[name] = value;
  }
  return out;
}
