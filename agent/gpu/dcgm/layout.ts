/**
 * Byte layouts of the structures of DCGM 4's C interface in use, on a 64-bit little-endian machine: the natural C alignment of the types that
 * DCGM's API reference names. test/agent/gpu/dcgm/fake-dcgm.c declares the same structures in C and has the compiler compare them with this table.
 */
export const DCGM_LAYOUT = {
  /** dcgmConnectV2Params_v2. */
  connectParams: { size: 16, version: 0, persistAfterDisconnect: 4, timeoutMs: 8, addressIsUnixSocket: 12 },
  /** dcgmGroupEntityPair_t. */
  entityPair: { size: 8, entityGroupId: 0, entityId: 4 },
  /** dcgmFieldValue_v1, which is what callbacks get; the value is a union of 4096 bytes that `fieldType` tells apart. */
  fieldValueV1: { size: 4120, version: 0, fieldId: 4, fieldType: 6, status: 8, ts: 16, value: 24 },
  /** dcgmFieldValue_v2. */
  fieldValueV2: { size: 4128, version: 0, entityGroupId: 4, entityId: 8, fieldId: 12, fieldType: 14, status: 16, ts: 24, value: 32 },
  /** dcgmRunningProcess_v1, the value of COMPUTE_PIDS. */
  runningProcess: { size: 16, version: 0, pid: 4, memoryUsed: 8 },
  /** dcgmMigHierarchyInfo_v2: an entity, what it is a part of, and where NVML has it. */
  migEntity: {
    ...{ size: 164, entityGroupId: 0, entityId: 4, parentGroupId: 8, parentId: 12, gpuUuid: 16, nvmlGpuIndex: 144 },
    ...{ nvmlInstanceId: 148, nvmlComputeInstanceId: 152, nvmlMigProfileId: 156, nvmlProfileSlices: 160 },
  },
  /** dcgmMigHierarchy_v2 up to its array of entities. */
  migHierarchy: { size: 8, version: 0, count: 4, entityList: 8 },
} as const;

/** Entities the hierarchy's array holds: 14 parts of each of 32 GPUs (DCGM_MAX_HIERARCHY_INFO). */
export const MIG_ENTITY_CAPACITY = 448;

/** GPUs that a host engine knows at most (DCGM_MAX_NUM_DEVICES). */
export const MAX_GPUS = 32;
