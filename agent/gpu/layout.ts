/**
 * Byte layouts of the NVML structures in use, on a 64-bit little-endian machine: the natural C alignment of the types that NVIDIA's
 * NVML API reference names. test/agent/gpu/fake-nvml.c declares the same structures in C and has the compiler compare them with this table.
 */
export const LAYOUT = {
  /** nvmlMemory_v2_t: `used` excludes `reserved`. */
  memoryV2: { size: 40, version: 0, total: 8, reserved: 16, free: 24, used: 32 },
  /** nvmlFieldValue_t; `value` is a union that `valueType` tells apart. */
  fieldValue: { size: 40, fieldId: 0, scopeId: 4, timestamp: 8, latencyUsec: 16, valueType: 24, nvmlReturn: 28, value: 32 },
  /** nvmlEventData_t. */
  eventData: { size: 32, device: 0, eventType: 8, eventData: 16, gpuInstanceId: 24, computeInstanceId: 28 },
  /** nvmlProcessInfo_v2_t, which nvmlDeviceGetComputeRunningProcesses_v3 fills. */
  processInfo: { size: 24, pid: 0, usedGpuMemory: 8, gpuInstanceId: 16, computeInstanceId: 20 },
  /** nvmlDeviceAttributes_t, of a MIG device. */
  deviceAttributes: {
    ...{ size: 40, multiprocessorCount: 0, sharedCopyEngineCount: 4, sharedDecoderCount: 8, sharedEncoderCount: 12, sharedJpegCount: 16 },
    ...{ sharedOfaCount: 20, gpuInstanceSliceCount: 24, computeInstanceSliceCount: 28, memorySizeMB: 32 },
  },
  /** nvmlTemperature_v1_t. */
  temperatureV1: { size: 12, version: 0, sensorType: 4, temperature: 8 },
  /** nvmlGpmSupport_t. */
  gpmSupport: { size: 8, version: 0, isSupportedDevice: 4 },
  /** nvmlGpmMetric_t: id, return code, value, three name pointers. */
  gpmMetric: { size: 40, metricId: 0, nvmlReturn: 4, value: 8, shortName: 16, longName: 24, unit: 32 },
  /** nvmlGpmMetricsGet_t up to its array of metrics. */
  gpmMetricsGet: { size: 24, version: 0, numMetrics: 4, sample1: 8, sample2: 16, metrics: 24 },
} as const;

/**
 * Metrics that the request's array must hold whatever `numMetrics` says: NVML_GPM_METRIC_MAX was 98 until CUDA 12.8, 210 in 12.9–13.1
 * and 333 since 13.2, under one and the same version number. The largest is safe with every driver.
 */
export const GPM_METRIC_CAPACITY = 333;

/** NVML_STRUCT_VERSION: size in the low bytes, version in the high one. */
export const structVersion = (size: number, version: number): number => (size | (version << 24)) >>> 0;
