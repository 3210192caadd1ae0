import { counterDelta } from "../../core/distributions/delta.ts";
import type { GpuSample } from "../../core/engines/gpu-page.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { type GpuReport, LIMITS } from "../../wire/messages.ts";

/** What a GPU did since the last report. */
export interface GpuEvents {
  readonly gpu: string;
  readonly uuid: string;
  /** Seconds the clocks were held down, by reason; a reason is listed once the page shows it. */
  readonly throttleSeconds: ReadonlyMap<string, number>;
  /** XID events by code. */
  readonly xid: ReadonlyMap<number, number>;
  /** ECC errors by kind. */
  readonly ecc: ReadonlyMap<string, number>;
}

/** What the agent remembers of one GPU between scrapes. */
export interface GpuState {
  readonly sample: Detailed;
  readonly at: number;
  readonly events: GpuEvents;
}

/**
 * Two pages of one GPU → its state. The page's last XID is sticky (it never goes back to 0), so only a CHANGE of code is
 * an event; the same code twice in a row cannot be seen this way. The first page sets every baseline: its XID may be days old.
 */
export function observeGpu(before: GpuState | undefined, sample: Detailed, at: number): GpuState {
  const { gpu, uuid } = sample;
  const last = before?.sample ?? sample;
  const xid = new Map(before?.events.xid);
  const code = sample.lastXid;
  if (code !== undefined && code !== 0 && code !== last.lastXid) xid.set(code, (xid.get(code) ?? 0) + 1);
  const throttleSeconds = addSteps(before?.events.throttleSeconds, throttleTotals(last), throttleTotals(sample));
  const ecc = addSteps(before?.events.ecc, last.eccErrors ?? {}, sample.eccErrors ?? {});
  return { sample, at, events: { gpu, uuid, throttleSeconds, xid, ecc } };
}

/** Details that not every reader of a GPU page provides. */
type Detailed = GpuSample & {
  readonly throttleSecondsByReason?: Readonly<Record<string, number>>;
  readonly eccErrors?: Readonly<Record<string, number>>;
};

/** A page without reasons still says how long in all. */
const throttleTotals = (sample: Detailed): Readonly<Record<string, number>> =>
  sample.throttleSecondsByReason ?? (sample.throttleSecondsTotal === undefined ? {} : { any: sample.throttleSecondsTotal });

function addSteps(
  sofar: ReadonlyMap<string, number> | undefined,
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> {
  const out = new Map(sofar);
  // A kind first seen now may have counted for days before: it starts here.
  for (const [kind, total] of Object.entries(now)) out.set(kind, (out.get(kind) ?? 0) + counterDelta(total, before[kind] ?? total).delta);
  return out;
}

/** Takes the events out; kinds stay listed at zero, because the page has them. */
export const drainedGpu = (state: GpuState): GpuState => {
  const zeroed = (events: ReadonlyMap<string, number>) => new Map([...events.keys()].map((kind) => [kind, 0] as const));
  const { throttleSeconds, ecc } = state.events;
  return { ...state, events: { ...state.events, throttleSeconds: zeroed(throttleSeconds), xid: new Map(), ecc: zeroed(ecc) } };
};

/** GPUs as reported, with the pool of the pod that holds each; an unknown pod keeps its name and has no pool. */
export function gpuReports(states: Iterable<GpuState>, targets: readonly EngineTarget[], now: number): GpuReport[] {
  const reports: GpuReport[] = [];
  for (const state of states) {
    if (reports.length >= LIMITS.gpusPerReport) break;
    const { sample } = state;
    const { throttleSeconds, xid } = state.events;
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
      ...(xid.size > 0 && { xid: [...xid].map(([code, count]) => ({ xid: code, count })) }),
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
