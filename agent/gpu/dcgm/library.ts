import { DCGM_LAYOUT } from "./layout.ts";

/** A call that takes addresses, buffers, text and numbers and returns a dcgmReturn_t. */
type Call = (...args: readonly unknown[]) => number;

/** One sample in a call to `valuesSince`: whose it is, and the bytes of its dcgmFieldValue_v1, which are gone after the callback. */
export type EachValue = (entityGroup: number, entity: number, value: Buffer) => void;

/** The part of libdcgm in use. Handles, groups and field groups are opaque 64-bit numbers. */
export interface DcgmLibrary {
  init(): number;
  connect(address: string, params: Buffer, handle: Buffer): number;
  entities(handle: bigint, entityGroup: number, ids: Buffer, count: Buffer, flags: number): number;
  hierarchy(handle: bigint, hierarchy: Buffer): number;
  groupCreate(handle: bigint, type: number, name: string, group: Buffer): number;
  groupAddEntity(handle: bigint, group: bigint, entityGroup: number, entity: number): number;
  groupDestroy(handle: bigint, group: bigint): number;
  fieldGroupCreate(handle: bigint, count: number, ids: Buffer, name: string, fieldGroup: Buffer): number;
  fieldGroupDestroy(handle: bigint, fieldGroup: bigint): number;
  watch(handle: bigint, group: bigint, fieldGroup: bigint, micros: number, keepSeconds: number, keepSamples: number): number;
  unwatch(handle: bigint, group: bigint, fieldGroup: bigint): number;
  updateAll(handle: bigint, wait: number): number;
  latest(handle: bigint, entities: Buffer, entityCount: number, fields: Buffer, fieldCount: number, flags: number, values: Buffer): number;
  valuesSince(handle: bigint, group: bigint, fieldGroup: bigint, since: bigint, next: Buffer, each: EachValue): number;
}

/** Loads the client library; koffi, an optional dependency, is loaded here and in ../library.ts. Throws what either says when it is not there. */
export async function loadDcgm(path: string): Promise<DcgmLibrary> {
  const { load, pointer, proto, view } = await import("koffi");
  const library = load(path);
  const handle = "uintptr_t";
  // koffi checks and converts what is passed at run time; its return type here is the C int that every one of these functions has.
  const call = (symbol: string, ...args: readonly (string | ReturnType<typeof pointer>)[]): Call =>
    library.func(symbol, "int", [...args]) as Call;
  const callback = proto("int", ["int", "uint32_t", "void *", "int", "void *"]);
  const since = call("dcgmGetValuesSince_v2", handle, handle, handle, "int64_t", "void *", pointer(callback), "void *");
  return {
    init: call("dcgmInit"),
    connect: call("dcgmConnect_v2", "str", "void *", "void *"),
    entities: call("dcgmGetEntityGroupEntities", handle, "int", "void *", "void *", "uint32_t"),
    hierarchy: call("dcgmGetGpuInstanceHierarchy", handle, "void *"),
    groupCreate: call("dcgmGroupCreate", handle, "int", "str", "void *"),
    groupAddEntity: call("dcgmGroupAddEntity", handle, handle, "int", "uint32_t"),
    groupDestroy: call("dcgmGroupDestroy", handle, handle),
    fieldGroupCreate: call("dcgmFieldGroupCreate", handle, "int", "void *", "str", "void *"),
    fieldGroupDestroy: call("dcgmFieldGroupDestroy", handle, handle),
    watch: call("dcgmWatchFields", handle, handle, handle, "int64_t", "double", "int"),
    unwatch: call("dcgmUnwatchFields", handle, handle, handle),
    updateAll: call("dcgmUpdateAllFields", handle, "int"),
    latest: call("dcgmEntitiesGetLatestValues", handle, "void *", "uint32_t", "void *", "uint32_t", "uint32_t", "void *"),
    valuesSince(connection, group, fieldGroup, from, next, each) {
      const { size } = DCGM_LAYOUT.fieldValueV1;
      const heard = (entityGroup: number, entity: number, values: unknown, count: number): number => {
        const bytes = Buffer.from(view(values, count * size));
        for (let i = 0; i < count; i++) each(entityGroup, entity, bytes.subarray(i * size, (i + 1) * size));
        return 0;
      };
      return since(connection, group, fieldGroup, from, next, heard, null);
    },
  };
}
