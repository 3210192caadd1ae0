import { setTimeout as sleep } from "node:timers/promises";
import { loading } from "../loading.ts";
import { createPodOfProcess } from "../pod-of-process.ts";
import type { StartDcgm } from "../process-messages.ts";
import type { OpenReader } from "../reader-process.ts";
import type { GpuReading, GpusReading } from "../reading.ts";
import { type KnownGpu, connect, findGpus } from "./connect.ts";
import { type GpuHappenings, watchHappenings } from "./events.ts";
import { FIELD, GPU_FIGURES, PROFILING_FIELDS, SLOW_FIELDS, STATUS, THROTTLE_FIELDS, statusName } from "./fields.ts";
import { type NumberOf, eccOf, figuresOf, numbers, rowsOf, throttleOf } from "./figures.ts";
import { createInstances } from "./instances.ts";
import { loadDcgm } from "./library.ts";
import { profilingProblem } from "./profiling.ts";
import { type Values, createValueReader } from "./values.ts";
import { refusals, watch } from "./watch.ts";

/** Error counts, remapped rows, the MIG mode and the list of instances change by the hour, not by the second. */
const SLOW_SECONDS = 10;
/** Counters of the profiling module need two looks; a start does not wait longer than this for them. */
const FIRST_COUNTERS_LIMIT = 30;
/** A value this many intervals (and seconds) older than the newest is of a part that stands still; so is everything, when nothing is newer. */
const OLD_INTERVALS = 5;
const OLD_SECONDS = 5;

/**
 * Opens DCGM's client library in THIS process and has a host engine look at its GPUs. Only the DCGM process does that in the product. DCGM itself
 * is never started here: a host engine that runs is asked, and our watches end with the connection.
 */
export async function openDcgm({ library, host, interval, proc }: StartDcgm): Promise<OpenReader> {
  const engine = connect(await loading(library, loadDcgm), host);
  const { gpus, driver } = findGpus(engine, host);
  const entities = gpus.map((gpu) => gpu.entity);
  const ids = [...GPU_FIGURES.map((f) => f.id), ...THROTTLE_FIELDS.keys(), FIELD.clockReasons];
  const device = watch(engine, entities, ids, interval);
  const profiling = watch(
    engine,
    entities,
    PROFILING_FIELDS.map((f) => f.id),
    interval,
  );
  const slow = watch(engine, entities, SLOW_FIELDS, SLOW_SECONDS);
  const happenings = watchHappenings(engine, entities, interval, createPodOfProcess(proc));
  const instances = createInstances(engine, gpus, interval);
  const readFast = createValueReader(engine, entities, [...device.fields, ...profiling.fields]);
  const readSlow = createValueReader(engine, entities, slow.fields);
  engine.library.updateAll(engine.handle, 1);
  await firstCounters(() => readFast(), gpus, profiling.fields, interval);

  let slowValues = readSlow();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let unseen: string | undefined;
  const advance = createClockOfEngine(Math.max(OLD_SECONDS, OLD_INTERVALS * interval));
  const lost = (why: string): GpusReading => ({ driver, gpus: [], lost: [`nv-hostengine at ${host}: ${why}`] });

  return {
    ...{ driver, gpus: gpus.length },
    read(now) {
      const values = readFast();
      if (values.rc !== STATUS.ok) return lost(statusName(values.rc));
      const clock = advance(values, now);
      if (clock.stands) return lost("its values are no longer refreshed");
      if (now - lookedAt >= SLOW_SECONDS) {
        lookedAt = now;
        slowValues = readSlow();
        const failed = instances.look();
        // Where no GPU is split it is no loss.
        unseen = gpus.some((gpu) => numbers(slowValues, 0)(gpu.entity, FIELD.migMode) === 1) ? failed : undefined;
      }
      const news = happenings.take(clock.newest);
      const parts = instances.read(clock.notBefore);
      const of = numbers(values, clock.notBefore);
      const results = gpus.map((gpu) => {
        const reading = toReading(gpu, of, numbers(slowValues, 0), news.get(gpu.entity.id));
        const problem = profilingProblem(gpu.entity, profiling, values);
        // A split GPU's counters are its instances'.
        const silent = problem === undefined || reading.mig === true;
        // What is not about one GPU is said once.
        const missing = gpu === gpus[0] ? [...refusals([device, slow]), ...(unseen === undefined ? [] : [unseen])] : [];
        return { ...reading, problems: [...(silent ? [] : [`GPU ${gpu.index}: ${problem}`]), ...missing] };
      });
      const dead = new Set(results.filter((r) => Object.keys(r.figures).length === 0));
      const why = (gpu: GpuReading): string => `GPU ${gpu.index} (${gpu.uuid}): ${whyLost(values, gpus, gpu, device.fields)}`;
      return {
        driver,
        gpus: results
          .filter((r) => !dead.has(r) || r.xid.length > 0)
          .flatMap((r) => [r, ...parts.filter((part) => part.instance?.parent === r.uuid)]),
        lost: [...dead].map(why),
      };
    },
  };
}

function toReading(gpu: KnownGpu, of: NumberOf, slow: NumberOf, news: GpuHappenings | undefined): GpuReading {
  const { entity, index, uuid, name } = gpu;
  const counters = figuresOf(entity, PROFILING_FIELDS, of);
  const mode = slow(entity, FIELD.migMode);
  const rows = rowsOf(entity, slow);
  return {
    ...{ index, uuid, name, gpm: Object.keys(counters).length > 0, xid: news?.xid ?? [], problems: [] },
    figures: { ...figuresOf(entity, GPU_FIGURES, of), ...counters },
    ...throttleOf(entity, of),
    eccErrors: eccOf(entity, slow),
    ...(rows !== undefined && { remappedRows: rows }),
    ...(mode !== undefined && { mig: mode === 1 }),
    // Those of a split GPU would have to be told apart by instance.
    ...(mode !== 1 && news?.processes !== undefined && { processes: news.processes }),
  };
}

const whyLost = (values: Values, gpus: readonly KnownGpu[], { uuid }: GpuReading, fields: readonly number[]): string => {
  const entity = gpus.find((gpu) => gpu.uuid === uuid)?.entity;
  const statuses = entity === undefined ? [] : fields.map((field) => values.of(entity, field)?.status ?? STATUS.noData);
  return statusName(statuses.find((s) => s !== STATUS.ok && s !== STATUS.noData) ?? STATUS.noData);
};

async function firstCounters(read: () => Values, gpus: readonly KnownGpu[], fields: readonly number[], interval: number): Promise<void> {
  if (fields.length === 0) return;
  const there = (values: Values): boolean =>
    gpus.some(({ entity }) => fields.some((field) => values.of(entity, field)?.value !== undefined));
  const step = interval / 2;
  for (let waited = 0; waited < Math.min(FIRST_COUNTERS_LIMIT, 2.5 * interval) && !there(read()); waited += step) await sleep(step * 1000);
}

/** The host engine may run elsewhere, by another clock: ages are differences between its own times, and its standstill is seen by ours. */
function createClockOfEngine(limit: number): (
  values: Values,
  now: number,
) => {
  readonly newest: number;
  readonly notBefore: number;
  readonly stands: boolean;
} {
  let newest = 0;
  let movedAt = Number.NEGATIVE_INFINITY;
  return (values, now) => {
    let latest = newest;
    for (const { ts } of values.all()) if (ts > latest) latest = ts;
    if (latest > newest || movedAt === Number.NEGATIVE_INFINITY) movedAt = now;
    newest = latest;
    return { newest, notBefore: newest - limit * 1e6, stands: now - movedAt > limit };
  };
}
