import { structVersion } from "../layout.ts";
import { ReaderUnusable } from "../process-messages.ts";
import { ENTITY, FIELD, STATUS, statusName } from "./fields.ts";
import { DCGM_LAYOUT, MAX_GPUS } from "./layout.ts";
import type { DcgmLibrary } from "./library.ts";
import { type Engine, type Entity, LIVE, createValueReader } from "./values.ts";

/** A GPU that the host engine knows and can read. */
export interface KnownGpu {
  readonly entity: Entity;
  /** As NVML and nvidia-smi count it. */
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  /** Compute slices that MIG can split it into. */
  readonly slices?: number;
}

/** Milliseconds; a host that is not there must not take longer than one read may. */
const CONNECT_TIMEOUT = 5000;
/** DCGM_GEGE_FLAG_ONLY_SUPPORTED. */
const ONLY_SUPPORTED = 1;

/** Connects to a host engine; watches end with the connection. */
export function connect(library: DcgmLibrary, host: string): Engine {
  const started = library.init();
  if (started !== STATUS.ok) throw new ReaderUnusable("no-library", `dcgmInit: ${statusName(started)}`);
  const { connectParams: layout } = DCGM_LAYOUT;
  const path = host.startsWith("unix://") ? host.slice("unix://".length) : host;
  const params = Buffer.alloc(layout.size);
  params.writeUInt32LE(structVersion(layout.size, 2), layout.version);
  params.writeUInt32LE(CONNECT_TIMEOUT, layout.timeoutMs);
  params.writeUInt32LE(path.startsWith("/") ? 1 : 0, layout.addressIsUnixSocket);
  const out = Buffer.alloc(8);
  const rc = library.connect(path, params, out);
  if (rc === STATUS.ok) return { library, handle: out.readBigUInt64LE() };
  throw new ReaderUnusable(
    rc === STATUS.versionMismatch ? "version" : "no-host-engine",
    rc === STATUS.versionMismatch
      ? `nv-hostengine at ${host}: ${statusName(rc)}`
      : `no nv-hostengine answers at ${host}: ${statusName(rc)}`,
  );
}

/** The GPUs, and the version of the driver they run on. */
export function findGpus(engine: Engine, host: string): { readonly gpus: readonly KnownGpu[]; readonly driver: string } {
  const ids = Buffer.alloc(MAX_GPUS * 4);
  const count = Buffer.alloc(4);
  count.writeInt32LE(MAX_GPUS);
  const listed = engine.library.entities(engine.handle, ENTITY.gpu, ids, count, ONLY_SUPPORTED);
  if (listed !== STATUS.ok) throw new ReaderUnusable("no-host-engine", `nv-hostengine at ${host}: list of GPUs: ${statusName(listed)}`);
  const entities = Array.from({ length: count.readInt32LE() }, (_, i) => ({ group: ENTITY.gpu, id: ids.readUInt32LE(i * 4) }));
  if (entities.length === 0) throw new ReaderUnusable("no-gpu", `nv-hostengine at ${host} shows no GPU`);
  const fields = [FIELD.driverVersion, FIELD.name, FIELD.nvmlIndex, FIELD.uuid, FIELD.migMaxSlices];
  // One call per GPU: one that is lost does not hide the others.
  const known = entities.map((entity) => {
    const values = createValueReader(engine, [entity], fields, LIVE)();
    const of = (field: number): number | string | undefined => values.of(entity, field)?.value;
    const [driver, name, index, uuid, slices] = fields.map(of);
    const gpu: KnownGpu = {
      entity,
      index: typeof index === "number" ? index : entity.id,
      uuid: typeof uuid === "string" ? uuid : `index-${entity.id}`,
      name: typeof name === "string" ? name : "unknown",
      ...(typeof slices === "number" && slices > 0 && { slices }),
    };
    return { gpu, driver };
  });
  const driver = known.map((k) => k.driver).find((d) => typeof d === "string");
  return { gpus: known.map((k) => k.gpu), driver: typeof driver === "string" ? driver : "unknown" };
}
