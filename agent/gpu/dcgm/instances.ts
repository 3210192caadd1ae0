import { structVersion } from "../layout.ts";
import type { GpuReading } from "../reading.ts";
import type { KnownGpu } from "./connect.ts";
import { ENTITY, FIELD, INSTANCE_FIGURES, PROFILING_FIELDS, STATUS, statusName } from "./fields.ts";
import { figuresOf, numbers } from "./figures.ts";
import { DCGM_LAYOUT, MIG_ENTITY_CAPACITY } from "./layout.ts";
import { type Engine, type Entity, LIVE, type Values, createValueReader } from "./values.ts";
import { type Watch, watch } from "./watch.ts";

export interface Instances {
  /** Looks up which instances there are; what went wrong, for people. */
  look(): string | undefined;
  /** `notBefore`: microseconds by the host engine's clock; older values are absent. */
  read(notBefore: number): readonly GpuReading[];
}

interface Instance {
  readonly entity: Entity;
  readonly gpu: KnownGpu;
  readonly id: number;
  readonly slices: number;
}

interface Watched {
  readonly of: string;
  readonly watch: Watch;
  readonly read: () => Values;
  readonly profiles: ReadonlyMap<number, string>;
  readonly instances: readonly Instance[];
}

const FIELDS = [...INSTANCE_FIGURES, ...PROFILING_FIELDS].map((f) => f.id);

/**
 * The MIG instances that the host engine shows, as entities of their own (DCGM_FE_GPU_I). They have the UUID of their GPU, as on a
 * dcgm-exporter page: DCGM names no other. Their processes are not told, so they belong to no pod.
 */
export function createInstances(engine: Engine, gpus: readonly KnownGpu[], seconds: number): Instances {
  let watched: Watched | undefined;
  return {
    look() {
      const { rc, instances } = hierarchy(engine, gpus);
      if (rc !== STATUS.ok) return `MIG instances: ${statusName(rc)}`;
      const of = JSON.stringify(instances.map((i) => [i.entity.id, i.gpu.entity.id, i.id]));
      if (of === (watched?.of ?? "[]")) return undefined;
      watched?.watch.close();
      watched = undefined;
      if (instances.length === 0) return undefined;
      const entities = instances.map((i) => i.entity);
      const accepted = watch(engine, entities, FIELDS, seconds);
      watched = {
        ...{ of, watch: accepted, instances, profiles: profiles(engine, entities) },
        read: createValueReader(engine, entities, accepted.fields),
      };
      return undefined;
    },
    read(notBefore) {
      if (watched === undefined) return [];
      const values = watched.read();
      const { profiles: names } = watched;
      if (values.rc !== STATUS.ok) return [];
      const readings = watched.instances.map((instance) => toReading(instance, values, notBefore, names));
      // One that is gone has no values until the next look.
      return readings.filter((reading) => Object.keys(reading.figures).length > 0);
    },
  };
}

function toReading(
  { entity, gpu, id, slices }: Instance,
  values: Values,
  notBefore: number,
  names: ReadonlyMap<number, string>,
): GpuReading {
  const of = numbers(values, notBefore);
  const counters = figuresOf(entity, PROFILING_FIELDS, of);
  const profile = names.get(entity.id);
  return {
    ...{ index: gpu.index, uuid: gpu.uuid, name: gpu.name },
    instance: {
      ...{ id, parent: gpu.uuid },
      ...(profile !== undefined && { profile }),
      ...(gpu.slices !== undefined && slices > 0 && slices <= gpu.slices && { share: slices / gpu.slices }),
    },
    gpm: Object.keys(counters).length > 0,
    figures: { ...figuresOf(entity, INSTANCE_FIGURES, of), ...counters },
    ...{ throttleSecondsByReason: {}, eccErrors: {}, xid: [], problems: [] },
  };
}

function hierarchy(
  { library, handle }: Engine,
  gpus: readonly KnownGpu[],
): { readonly rc: number; readonly instances: readonly Instance[] } {
  const { migHierarchy: head, migEntity: part } = DCGM_LAYOUT;
  const buffer = Buffer.alloc(head.size + MIG_ENTITY_CAPACITY * part.size);
  buffer.writeUInt32LE(structVersion(buffer.length, 2), head.version);
  const rc = library.hierarchy(handle, buffer);
  if (rc !== STATUS.ok) return { rc, instances: [] };
  const count = Math.min(buffer.readUInt32LE(head.count), MIG_ENTITY_CAPACITY);
  const instances = Array.from({ length: count }, (_, i) => head.entityList + i * part.size).flatMap((at) => {
    const gpu = gpus.find((g) => g.entity.id === buffer.readUInt32LE(at + part.parentId));
    const isInstance =
      buffer.readInt32LE(at + part.entityGroupId) === ENTITY.gpuInstance && buffer.readInt32LE(at + part.parentGroupId) === ENTITY.gpu;
    if (!isInstance || gpu === undefined) return [];
    const entity = { group: ENTITY.gpuInstance, id: buffer.readUInt32LE(at + part.entityId) };
    return [{ entity, gpu, id: buffer.readUInt32LE(at + part.nvmlInstanceId), slices: buffer.readUInt32LE(at + part.nvmlProfileSlices) }];
  });
  return { rc, instances };
}

/** An instance's name is its profile, for example "1g.10gb". */
function profiles(engine: Engine, entities: readonly Entity[]): ReadonlyMap<number, string> {
  const values = createValueReader(engine, entities, [FIELD.name], LIVE)();
  const found = entities.map(({ group, id }) => [id, values.of({ group, id }, FIELD.name)?.value] as const);
  return new Map(found.filter((entry): entry is [number, string] => typeof entry[1] === "string" && /^\S*\d+g\.\S+$/.test(entry[1])));
}
