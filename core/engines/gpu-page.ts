import type { PageFormat, PageLimits } from "../exposition/limits.ts";
import type { Problem } from "../exposition/problems.ts";
import { createSeriesReader } from "../exposition/series-reader.ts";
import type { Labels } from "../exposition/series.ts";
import { ECC_SERIES, gpuLabels, GPU_RULES, isBlankValue, XID_COUNT_SERIES, type GpuLabels, type GpuValueName } from "./dcgm-exporter.ts";
import { toBase } from "./dialect.ts";
import { clockEvents, THROTTLE_SERIES } from "./gpu-clocks.ts";
import type { Store } from "./slots.ts";

/** One GPU (or MIG instance) as a dcgm-exporter page shows it. What the page does not have, or has blank, is absent. */
export interface GpuSample extends GpuLabels {
  /** Of a MIG instance: the GPU it is a part of. */
  readonly instance?: GpuInstance;
  readonly smActive?: number;
  readonly tensorActive?: number;
  readonly dramActive?: number;
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
  readonly powerWatts?: number;
  readonly temperatureCelsius?: number;
  readonly pcieReceiveBytesPerSecond?: number;
  readonly pcieTransmitBytesPerSecond?: number;
  readonly nvlinkReceiveBytesPerSecond?: number;
  readonly nvlinkTransmitBytesPerSecond?: number;
  /** Cumulative. */
  readonly energyJoules?: number;
  /** Cumulative time the clocks were held down, for those reasons whose time the page has. */
  readonly throttleSecondsByReason?: Readonly<Record<string, number>>;
  /** Which reasons hold the clocks down at this moment; every reason is listed. */
  readonly throttling?: Readonly<Record<string, boolean>>;
  /** Cumulative, by kind. */
  readonly eccErrors?: Readonly<Record<string, number>>;
  /** The last XID seen since the driver was loaded; it never resets. 0 = none. */
  readonly lastXid?: number;
  /** Counts in the exporter's own sliding window. */
  readonly xidCounts?: readonly { readonly xid: number; readonly count: number }[];
}

export interface GpuInstance {
  /** UUID of the whole GPU. */
  readonly parent: string;
  /** For example "1g.10gb". */
  readonly profile?: string;
  /** Its compute slices ÷ those of the whole GPU. */
  readonly share?: number;
}

export interface GpuPageSample {
  readonly gpus: readonly GpuSample[];
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  readonly samples: number;
}

export interface GpuPage {
  read(text: string, format?: PageFormat): GpuPageSample;
}

interface Reading {
  generation: number;
  value: number;
}

/** Readings of one GPU by name; the label part is of the latest read, because pods come and go. */
interface Gpu {
  labels: GpuLabels;
  generation: number;
  /** The read after which the values that it did not have were last given up. */
  pruned: number;
  readonly values: Map<string, Reading>;
}

/** MIG makes up to 7 instances of each of 16 GPUs; more than this is not a node. */
const MAX_GPUS = 512;
/** Far above what a GPU has; XID codes are labels, of which a page may show others every time. */
const MAX_VALUES = 1024;

export function createGpuPage(limits?: PageLimits): GpuPage {
  const gpus = new Map<string, Gpu>();
  let generation = 0;
  const reader = createSeriesReader<Store>({
    resolve: (name, labels) => resolve(gpus, name, labels),
    store: (slot, value) => slot(generation, value),
    ...(limits === undefined ? {} : { limits }),
  });
  return {
    read(text, format) {
      generation++;
      const page = reader.read(text, format);
      for (const [key, gpu] of gpus) if (gpu.generation < generation - 1) gpus.delete(key);
      const present = [...gpus.values()].filter((gpu) => gpu.generation === generation);
      return { gpus: present.map((gpu) => toSample(gpu, generation)), ...page };
    },
  };
}

/** For a page that is read once. */
export const readGpuPage = (text: string): GpuPageSample => createGpuPage().read(text);

function resolve(gpus: Map<string, Gpu>, name: string, labels: Labels): Store | undefined {
  const target = targetOf(name, labels);
  const own = target === undefined ? undefined : gpuLabels(labels);
  if (target === undefined || own === undefined) return undefined;
  const key = `${own.uuid}/${own.gpu}`;
  return (generation, value) => {
    if (isBlankValue(value)) return;
    let gpu = gpus.get(key);
    if (gpu === undefined) {
      if (gpus.size >= MAX_GPUS) return;
      gpu = { labels: own, generation, pruned: 0, values: new Map() };
      gpus.set(key, gpu);
    }
    if (gpu.generation !== generation) {
      gpu.generation = generation;
      gpu.labels = own;
    }
    // With shared GPUs the same series stands once per pod; the device is one, so the first stands for all.
    const known = gpu.values.get(target.slot);
    if (known?.generation === generation) return;
    if (known === undefined && !hasRoom(gpu, generation)) return;
    gpu.values.set(target.slot, { generation, value: target.convert(value) });
  };
}

function hasRoom(gpu: Gpu, generation: number): boolean {
  if (gpu.values.size >= MAX_VALUES && gpu.pruned !== generation) {
    gpu.pruned = generation;
    for (const [slot, reading] of gpu.values) if (reading.generation !== generation) gpu.values.delete(slot);
  }
  return gpu.values.size < MAX_VALUES;
}

interface Target {
  readonly slot: string;
  readonly convert: (value: number) => number;
}

function targetOf(name: string, labels: Labels): Target | undefined {
  const reason = THROTTLE_SERIES.get(name);
  if (reason !== undefined) return { slot: `throttle:${reason}`, convert: (v) => toBase(v, "ns") };
  const ecc = ECC_SERIES.get(name);
  if (ecc !== undefined) return { slot: `ecc:${ecc}`, convert: (v) => v };
  if (name === XID_COUNT_SERIES) return { slot: `xid:${labels.get("xid") ?? ""}`, convert: (v) => v };
  for (const rule of GPU_RULES) {
    const at = rule.series.indexOf(name);
    if (at >= 0) return { slot: `${rule.name}:${at}`, convert: (v) => toBase(v, rule.unit) };
  }
  return undefined;
}

function toSample(gpu: Gpu, generation: number): GpuSample {
  const current = (slot: string): number | undefined => {
    const reading = gpu.values.get(slot);
    return reading?.generation === generation ? reading.value : undefined;
  };
  const values: Partial<Record<GpuValueName, number>> = {};
  for (const rule of GPU_RULES) {
    const value = rule.series.map((_, i) => current(`${rule.name}:${i}`)).find((v) => v !== undefined);
    if (value !== undefined) values[rule.name] = value;
  }
  const { memoryFreeBytes, memoryReservedBytes, clockEvents: mask, ...rest } = values;
  const total = rest.memoryTotalBytes ?? sumKnown(rest.memoryUsedBytes, memoryFreeBytes, memoryReservedBytes ?? 0);
  const live = [...gpu.values].filter(([, reading]) => reading.generation === generation);
  const throttle = withPrefix(live, "throttle:");
  const ecc = withPrefix(live, "ecc:");
  const xidCounts = withPrefix(live, "xid:")
    .map(([code, count]) => ({ xid: Number.parseInt(code, 10), count }))
    .filter(({ xid }) => Number.isSafeInteger(xid));
  return {
    ...gpu.labels,
    ...rest,
    ...(total === undefined ? {} : { memoryTotalBytes: total }),
    ...(throttle.length === 0 ? {} : { throttleSecondsByReason: Object.fromEntries(throttle) }),
    ...(mask === undefined ? {} : { throttling: clockEvents(mask) }),
    ...(ecc.length === 0 ? {} : { eccErrors: Object.fromEntries(ecc) }),
    ...(xidCounts.length === 0 ? {} : { xidCounts }),
  };
}

const withPrefix = (live: readonly (readonly [string, Reading])[], prefix: string): [string, number][] =>
  live.filter(([slot]) => slot.startsWith(prefix)).map(([slot, reading]) => [slot.slice(prefix.length), reading.value]);

function sumKnown(...parts: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const part of parts) {
    if (part === undefined) return undefined;
    sum += part;
  }
  return sum;
}
