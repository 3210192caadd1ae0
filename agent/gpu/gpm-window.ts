import { GPM_METRICS, type GpmName, RC, rcName } from "./fields.ts";
import { GPM_METRIC_CAPACITY, LAYOUT } from "./layout.ts";
import type { NvmlLibrary } from "./library.ts";

/** The driver refreshes its samples about every 100 ms (nvml.h); two samples closer than that give garbage. */
export const MIN_WINDOW_SECONDS = 0.1;

export type GpmFigures = Partial<Record<GpmName, number>>;

export interface GpmWindow {
  /** Averages from the sample before to now. Before there are two samples, nothing. */
  read(now: number): { readonly figures: GpmFigures; readonly problem?: string; readonly unsupported?: boolean };
  /** Frees the samples; an instance that is gone takes no more. */
  close(): void;
}

interface GpmCalls {
  sample(into: bigint): number;
  metrics(request: Buffer): number;
  free(sample: bigint): void;
}

/**
 * A rolling pair of GPM samples of one GPU, or of one of its MIG instances: each read closes the window that the read before opened.
 * Undefined where the GPU has no GPM.
 */
export function openGpmWindow(nvml: NvmlLibrary, device: bigint, instance?: number): GpmWindow | undefined {
  const { gpmSupport, gpmSampleAlloc, gpmSampleGet, gpmMigSampleGet, gpmMetricsGet, gpmSampleFree } = nvml;
  if (gpmSupport === undefined || gpmSampleAlloc === undefined || gpmSampleGet === undefined || gpmMetricsGet === undefined)
    return undefined;
  if (instance !== undefined && gpmMigSampleGet === undefined) return undefined;
  const support = Buffer.alloc(LAYOUT.gpmSupport.size);
  support.writeUInt32LE(1, LAYOUT.gpmSupport.version);
  if (gpmSupport(device, support) !== RC.success || support.readUInt32LE(LAYOUT.gpmSupport.isSupportedDevice) !== 1) return undefined;
  const samples = [allocate(gpmSampleAlloc), allocate(gpmSampleAlloc)];
  const [first, second] = samples;
  if (first === undefined || second === undefined) return undefined;
  const calls: GpmCalls = {
    sample: (into) =>
      instance === undefined ? gpmSampleGet(device, into) : (gpmMigSampleGet?.(device, instance, into) ?? RC.functionNotFound),
    metrics: gpmMetricsGet,
    free: (sample) => void gpmSampleFree?.(sample),
  };
  return createWindow(calls, [first, second]);
}

function allocate(alloc: NonNullable<NvmlLibrary["gpmSampleAlloc"]>): bigint | undefined {
  const out = Buffer.alloc(8);
  return alloc(out) === RC.success ? out.readBigUInt64LE() : undefined;
}

function createWindow(calls: GpmCalls, pair: readonly [bigint, bigint]): GpmWindow {
  const request = Buffer.alloc(LAYOUT.gpmMetricsGet.size + GPM_METRIC_CAPACITY * LAYOUT.gpmMetric.size);
  let [before, next] = pair;
  let openedAt: number | undefined;
  let last: GpmFigures = {};
  return {
    read(now) {
      if (openedAt !== undefined && now - openedAt < MIN_WINDOW_SECONDS) return { figures: last };
      const got = calls.sample(next);
      if (got !== RC.success) {
        // What the old sample opened is too long ago to mean anything by the time this works again.
        openedAt = undefined;
        last = {};
        return { figures: {}, problem: `GPM sample: ${rcName(got)}`, unsupported: got === RC.notSupported };
      }
      const opened = openedAt !== undefined;
      openedAt = now;
      [before, next] = [next, before];
      if (!opened) return { figures: {} };
      writeRequest(request, next, before);
      const rc = calls.metrics(request);
      last = rc === RC.success ? readFigures(request) : {};
      return rc === RC.success ? { figures: last } : { figures: {}, problem: `GPM metrics: ${rcName(rc)}` };
    },
    close: () => pair.forEach(calls.free),
  };
}

function writeRequest(request: Buffer, from: bigint, to: bigint): void {
  const { gpmMetricsGet: head, gpmMetric: metric } = LAYOUT;
  request.fill(0);
  request.writeUInt32LE(1, head.version);
  request.writeUInt32LE(GPM_METRICS.length, head.numMetrics);
  request.writeBigUInt64LE(from, head.sample1);
  request.writeBigUInt64LE(to, head.sample2);
  for (const [i, { id }] of GPM_METRICS.entries()) request.writeUInt32LE(id, head.metrics + i * metric.size + metric.metricId);
}

function readFigures(request: Buffer): GpmFigures {
  const { gpmMetricsGet: head, gpmMetric: metric } = LAYOUT;
  const figures: GpmFigures = {};
  for (const [i, { name, scale }] of GPM_METRICS.entries()) {
    const at = head.metrics + i * metric.size;
    const value = request.readDoubleLE(at + metric.value);
    // NaN is GPM's blank.
    if (request.readUInt32LE(at + metric.nvmlReturn) === RC.success && Number.isFinite(value) && value >= 0) figures[name] = value * scale;
  }
  return figures;
}
