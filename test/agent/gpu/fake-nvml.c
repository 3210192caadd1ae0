/*
 * A libnvidia-ml.so.1 that plays a script: what each call answers for each GPU, in lines of a text file named by FAKE_NVML. The file is
 * read again whenever it was replaced. Structures are declared here as the NVML API reference describes them; layout.h, generated from
 * agent/gpu/layout.ts, has the reader's idea of their offsets, and the compiler compares the two.
 */
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "layout.h"

typedef unsigned int u32;
typedef unsigned long long u64;

typedef struct { u32 version; u64 total, reserved, free, used; } Memory;
typedef union { double d; u32 ui; unsigned long ul; u64 ull; long long ll; int i; unsigned short us; } Value;
typedef struct { u32 fieldId, scopeId; long long timestamp, latencyUsec; u32 valueType, nvmlReturn; Value value; } FieldValue;
typedef struct { void *device; u64 eventType, eventData; u32 gpuInstanceId, computeInstanceId; } EventData;
typedef struct { u32 pid; u64 usedGpuMemory; u32 gpuInstanceId, computeInstanceId; } ProcessInfo;
typedef struct {
  u32 multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount, sharedJpegCount, sharedOfaCount;
  u32 gpuInstanceSliceCount, computeInstanceSliceCount;
  u64 memorySizeMB;
} Attributes;
typedef struct { u32 version; u32 sensorType; int temperature; } Temperature;
typedef struct { u32 version, isSupportedDevice; } GpmSupport;
typedef struct { u32 metricId, nvmlReturn; double value; char *shortName, *longName, *unit; } GpmMetric;
typedef struct { u32 version, numMetrics; void *sample1, *sample2; GpmMetric metrics[333]; } GpmMetricsGet;

#define SAME(type, member, name) _Static_assert(offsetof(type, member) == name, #type "." #member)
_Static_assert(sizeof(Memory) == LAYOUT_memoryV2_size, "Memory");
SAME(Memory, version, LAYOUT_memoryV2_version);
SAME(Memory, total, LAYOUT_memoryV2_total);
SAME(Memory, reserved, LAYOUT_memoryV2_reserved);
SAME(Memory, free, LAYOUT_memoryV2_free);
SAME(Memory, used, LAYOUT_memoryV2_used);
_Static_assert(sizeof(FieldValue) == LAYOUT_fieldValue_size, "FieldValue");
SAME(FieldValue, fieldId, LAYOUT_fieldValue_fieldId);
SAME(FieldValue, scopeId, LAYOUT_fieldValue_scopeId);
SAME(FieldValue, timestamp, LAYOUT_fieldValue_timestamp);
SAME(FieldValue, latencyUsec, LAYOUT_fieldValue_latencyUsec);
SAME(FieldValue, valueType, LAYOUT_fieldValue_valueType);
SAME(FieldValue, nvmlReturn, LAYOUT_fieldValue_nvmlReturn);
SAME(FieldValue, value, LAYOUT_fieldValue_value);
_Static_assert(sizeof(EventData) == LAYOUT_eventData_size, "EventData");
SAME(EventData, device, LAYOUT_eventData_device);
SAME(EventData, eventType, LAYOUT_eventData_eventType);
SAME(EventData, eventData, LAYOUT_eventData_eventData);
SAME(EventData, gpuInstanceId, LAYOUT_eventData_gpuInstanceId);
SAME(EventData, computeInstanceId, LAYOUT_eventData_computeInstanceId);
_Static_assert(sizeof(ProcessInfo) == LAYOUT_processInfo_size, "ProcessInfo");
SAME(ProcessInfo, pid, LAYOUT_processInfo_pid);
SAME(ProcessInfo, usedGpuMemory, LAYOUT_processInfo_usedGpuMemory);
SAME(ProcessInfo, gpuInstanceId, LAYOUT_processInfo_gpuInstanceId);
SAME(ProcessInfo, computeInstanceId, LAYOUT_processInfo_computeInstanceId);
_Static_assert(sizeof(Attributes) == LAYOUT_deviceAttributes_size, "Attributes");
SAME(Attributes, multiprocessorCount, LAYOUT_deviceAttributes_multiprocessorCount);
SAME(Attributes, sharedCopyEngineCount, LAYOUT_deviceAttributes_sharedCopyEngineCount);
SAME(Attributes, sharedDecoderCount, LAYOUT_deviceAttributes_sharedDecoderCount);
SAME(Attributes, sharedEncoderCount, LAYOUT_deviceAttributes_sharedEncoderCount);
SAME(Attributes, sharedJpegCount, LAYOUT_deviceAttributes_sharedJpegCount);
SAME(Attributes, sharedOfaCount, LAYOUT_deviceAttributes_sharedOfaCount);
SAME(Attributes, gpuInstanceSliceCount, LAYOUT_deviceAttributes_gpuInstanceSliceCount);
SAME(Attributes, computeInstanceSliceCount, LAYOUT_deviceAttributes_computeInstanceSliceCount);
SAME(Attributes, memorySizeMB, LAYOUT_deviceAttributes_memorySizeMB);
_Static_assert(sizeof(Temperature) == LAYOUT_temperatureV1_size, "Temperature");
SAME(Temperature, version, LAYOUT_temperatureV1_version);
SAME(Temperature, sensorType, LAYOUT_temperatureV1_sensorType);
SAME(Temperature, temperature, LAYOUT_temperatureV1_temperature);
_Static_assert(sizeof(GpmSupport) == LAYOUT_gpmSupport_size, "GpmSupport");
SAME(GpmSupport, isSupportedDevice, LAYOUT_gpmSupport_isSupportedDevice);
_Static_assert(sizeof(GpmMetric) == LAYOUT_gpmMetric_size, "GpmMetric");
SAME(GpmMetric, metricId, LAYOUT_gpmMetric_metricId);
SAME(GpmMetric, nvmlReturn, LAYOUT_gpmMetric_nvmlReturn);
SAME(GpmMetric, value, LAYOUT_gpmMetric_value);
SAME(GpmMetric, shortName, LAYOUT_gpmMetric_shortName);
SAME(GpmMetric, longName, LAYOUT_gpmMetric_longName);
SAME(GpmMetric, unit, LAYOUT_gpmMetric_unit);
_Static_assert(sizeof(GpmMetricsGet) == LAYOUT_gpmMetricsGet_size + 333 * LAYOUT_gpmMetric_size, "GpmMetricsGet");
SAME(GpmMetricsGet, version, LAYOUT_gpmMetricsGet_version);
SAME(GpmMetricsGet, numMetrics, LAYOUT_gpmMetricsGet_numMetrics);
SAME(GpmMetricsGet, sample1, LAYOUT_gpmMetricsGet_sample1);
SAME(GpmMetricsGet, sample2, LAYOUT_gpmMetricsGet_sample2);
SAME(GpmMetricsGet, metrics, LAYOUT_gpmMetricsGet_metrics);

/* The script: "<gpu or -1> <key> <value>" per line. */
static struct { int gpu; char key[64], value[128]; } lines[4096];
static int count;
static struct stat seen;

static void load(void) {
  const char *path = getenv("FAKE_NVML");
  struct stat now;
  if (path == NULL || stat(path, &now) != 0) return;
  if (now.st_ino == seen.st_ino && now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec && now.st_size == seen.st_size) return;
  seen = now;
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  char line[256];
  for (count = 0; count < 4096 && fgets(line, sizeof line, file) != NULL;)
    if (sscanf(line, "%d %63s %127[^\n]", &lines[count].gpu, lines[count].key, lines[count].value) == 3) count++;
  fclose(file);
}

static const char *find(int gpu, const char *key) {
  for (int i = 0; i < count; i++)
    if (lines[i].gpu == gpu && strcmp(lines[i].key, key) == 0) return lines[i].value;
  return NULL;
}
static const char *findId(int gpu, const char *key, u32 id) {
  char full[64];
  snprintf(full, sizeof full, "%s.%u", key, id);
  return find(gpu, full);
}
static u64 number(const char *text) { return strtoull(text, NULL, 0); }

/* Devices are pointers into this, as a real handle is an address. */
static char devices[64];
static int gpuOf(void *device) { return (int)((char *)device - devices); }

/* What every call does first; the return code the script has for it, or 0. */
static int enter(const char *call, int gpu) {
  load();
  const char *value = find(-1, "crash");
  if (value != NULL && strcmp(value, call) == 0) raise(SIGSEGV);
  value = find(-1, "hang");
  if (value != NULL && strcmp(value, call) == 0) for (;;) pause();
  char key[64];
  snprintf(key, sizeof key, "rc.%.50s", call);
  value = find(gpu, key);
  if (value == NULL && gpu >= 0) value = find(-1, key);
  return value == NULL ? 0 : (int)number(value);
}
#define ENTER(gpu) do { int rc = enter(__func__, gpu); if (rc != 0) return rc; } while (0)
/* A script that has no value for it: the GPU does not support it. */
#define NEED(value) do { if ((value) == NULL) return 3; } while (0)

/* Calls that are too dear for a reader end the process that makes them. */
int nvmlDeviceGetTotalEnergyConsumption(void *device, u64 *energy) { (void)device; (void)energy; abort(); }
int nvmlDeviceGetPcieThroughput(void *device, u32 counter, u32 *value) { (void)device; (void)counter; (void)value; abort(); }
int nvmlDeviceGetProcessUtilization(void *device, void *samples, u32 *n, u64 since) { (void)device; (void)samples; (void)n; (void)since; abort(); }

int nvmlInit_v2(void) { ENTER(-1); return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, u32 length) {
  ENTER(-1);
  const char *value = find(-1, "driver");
  NEED(value);
  snprintf(text, length, "%s", value);
  return 0;
}
int nvmlDeviceGetCount_v2(u32 *n) {
  ENTER(-1);
  const char *value = find(-1, "devices");
  *n = value == NULL ? 0 : (u32)number(value);
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(u32 index, void **device) { ENTER((int)index); *device = devices + index; return 0; }
int nvmlDeviceGetUUID(void *device, char *text, u32 length) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "uuid");
  NEED(value);
  if (strlen(value) >= length) return 7;
  strcpy(text, value);
  return 0;
}
int nvmlDeviceGetName(void *device, char *text, u32 length) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "name");
  NEED(value);
  snprintf(text, length, "%s", value);
  return 0;
}
int nvmlDeviceGetMemoryInfo_v2(void *device, Memory *memory) {
  ENTER(gpuOf(device));
  if (memory->version != (sizeof(Memory) | 2u << 24)) return 25;
  const char *value = find(gpuOf(device), "memory");
  NEED(value);
  return sscanf(value, "%llu %llu %llu %llu", &memory->total, &memory->reserved, &memory->free, &memory->used) == 4 ? 0 : 999;
}
int nvmlDeviceGetPowerUsage(void *device, u32 *milliwatts) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "power");
  NEED(value);
  *milliwatts = (u32)number(value);
  return 0;
}
#ifndef OLD_DRIVER
int nvmlDeviceGetTemperatureV(void *device, Temperature *temperature) {
  ENTER(gpuOf(device));
  if (temperature->version != (sizeof(Temperature) | 1u << 24)) return 25;
  const char *value = find(gpuOf(device), "temperature");
  NEED(value);
  temperature->temperature = (int)strtol(value, NULL, 0);
  return 0;
}
#endif
int nvmlDeviceGetTemperature(void *device, u32 sensor, u32 *temperature) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "temperature");
  NEED(value);
  *temperature = (u32)number(value) + sensor;
  return 0;
}
int nvmlDeviceGetClockInfo(void *device, u32 type, u32 *megahertz) {
  ENTER(gpuOf(device));
  const char *value = findId(gpuOf(device), "clock", type);
  NEED(value);
  *megahertz = (u32)number(value);
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, u64 *mask) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "reasons");
  NEED(value);
  *mask = number(value);
  return 0;
}
int nvmlDeviceGetFieldValues(void *device, int n, FieldValue *fields) {
  ENTER(gpuOf(device));
  for (int i = 0; i < n; i++) {
    FieldValue *field = &fields[i];
    /* 83 energy, 94 replays, 197 and 198 wrapping PCIe bytes. */
    if (field->fieldId == 83 || field->fieldId == 94 || field->fieldId == 197 || field->fieldId == 198) abort();
    const char *value = findId(gpuOf(device), "field", field->fieldId);
    u32 type = 0;
    char text[64] = "";
    if (value == NULL || sscanf(value, "%u %63s", &type, text) != 2) {
      field->nvmlReturn = 3;
      field->value.ull = 0x5a5a5a5a5a5a5a5aull;
      continue;
    }
    field->nvmlReturn = 0;
    field->valueType = type;
    /* What a narrower member leaves untouched is garbage on purpose. */
    field->value.ull = 0xa5a5a5a5a5a5a5a5ull;
    switch (type) {
      case 0: field->value.d = strtod(text, NULL); break;
      case 1: field->value.ui = (u32)number(text); break;
      case 2: field->value.ul = number(text); break;
      case 3: field->value.ull = number(text); break;
      case 4: field->value.ll = strtoll(text, NULL, 0); break;
      case 5: field->value.i = (int)strtol(text, NULL, 0); break;
      case 6: field->value.us = (unsigned short)number(text); break;
    }
  }
  return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, u32 *n, ProcessInfo *infos) {
  ENTER(gpuOf(device));
  u32 found = 0;
  for (int i = 0; i < count; i++) {
    if (lines[i].gpu != gpuOf(device) || strcmp(lines[i].key, "process") != 0) continue;
    if (found < *n) {
      char memory[32] = "";
      sscanf(lines[i].value, "%u %31s", &infos[found].pid, memory);
      infos[found].usedGpuMemory = strcmp(memory, "unknown") == 0 ? ~0ull : number(memory);
      infos[found].gpuInstanceId = infos[found].computeInstanceId = 0xffffffff;
    }
    found++;
  }
  int rc = found > *n ? 7 : 0;
  *n = found;
  return rc;
}
int nvmlDeviceGetMigMode(void *device, u32 *current, u32 *pending) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "mig");
  NEED(value);
  *current = *pending = (u32)number(value);
  return 0;
}

/*
 * MIG devices: "<gpu> mig-max <n>" and "<gpu> mig-device.<place> <number>" give the GPU a device that further lines describe as one of that
 * number: "<number> uuid …", "<number> instance <gpu instance id>", "<number> slices <n>", "<number> memory …", "<number> process …".
 */
int nvmlDeviceGetMaxMigDeviceCount(void *device, u32 *n) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "mig-max");
  *n = value == NULL ? 0 : (u32)number(value);
  return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, u32 index, void **mig) {
  ENTER(gpuOf(device));
  const char *value = findId(gpuOf(device), "mig-device", index);
  if (value == NULL) return 6;
  *mig = devices + number(value);
  return 0;
}
int nvmlDeviceGetGpuInstanceId(void *device, u32 *id) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "instance");
  NEED(value);
  *id = (u32)number(value);
  return 0;
}
int nvmlDeviceGetAttributes_v2(void *device, Attributes *attributes) {
  ENTER(gpuOf(device));
  const char *value = find(gpuOf(device), "slices");
  NEED(value);
  memset(attributes, 0xa5, sizeof *attributes);
  attributes->gpuInstanceSliceCount = (u32)number(value);
  return 0;
}

/* Events: "-1 event <sequence> <gpu> <xid> [<gpu instance>]". Those in the script at registration are from before. */
static u64 delivered;
static u64 nextEvent(u64 after, int *gpu, u64 *xid, u32 *instance) {
  for (int i = 0; i < count; i++) {
    u64 sequence;
    *instance = 0xffffffff;
    if (strcmp(lines[i].key, "event") == 0 && sscanf(lines[i].value, "%llu %d %llu %u", &sequence, gpu, xid, instance) >= 3 && sequence > after) return sequence;
  }
  return 0;
}
int nvmlEventSetCreate(void **set) {
  ENTER(-1);
  *set = &delivered;
  return 0;
}
int nvmlDeviceRegisterEvents(void *device, u64 types, void *set) {
  ENTER(gpuOf(device));
  if (types != 8 || set != &delivered) return 2;
  int gpu;
  u32 instance;
  u64 xid, next;
  while ((next = nextEvent(delivered, &gpu, &xid, &instance)) != 0) delivered = next;
  return 0;
}
int nvmlEventSetWait_v2(void *set, EventData *event, u32 timeout) {
  ENTER(-1);
  if (set != &delivered || timeout != 0) return 2;
  int gpu;
  u32 instance;
  u64 xid, next = nextEvent(delivered, &gpu, &xid, &instance);
  if (next == 0) return 10;
  delivered = next;
  *event = (EventData){devices + gpu, 8, xid, instance, instance == 0xffffffff ? instance : 0};
  return 0;
}

#ifndef OLD_DRIVER
/* GPM: counters "<gpu> gpm.<metric> <unit · seconds so far>" and the clock "-1 gpm-clock <seconds>"; a metric is what two samples differ by, per second. */
typedef struct { int gpu; double clock; double counters[333]; } Sample;

int nvmlGpmQueryDeviceSupport(void *device, GpmSupport *support) {
  ENTER(gpuOf(device));
  if (support->version != 1) return 25;
  support->isSupportedDevice = find(gpuOf(device), "no-gpm") == NULL;
  return 0;
}
int nvmlGpmSampleAlloc(Sample **sample) { ENTER(-1); *sample = calloc(1, sizeof(Sample)); return 0; }
int nvmlGpmSampleFree(Sample *sample) { ENTER(-1); free(sample); return 0; }
static void take(Sample *sample, int gpu, const char *key) {
  sample->gpu = gpu;
  const char *clock = find(-1, "gpm-clock");
  sample->clock = clock == NULL ? 0 : strtod(clock, NULL);
  for (u32 id = 0; id < 333; id++) {
    const char *value = findId(gpu, key, id);
    sample->counters[id] = value == NULL ? NAN : strtod(value, NULL);
  }
}
int nvmlGpmSampleGet(void *device, Sample *sample) {
  ENTER(gpuOf(device));
  take(sample, gpuOf(device), "gpm");
  return 0;
}
/* The whole GPU's handle and an instance's id: "<gpu> gpm-<instance>.<metric> <…>". */
int nvmlGpmMigSampleGet(void *device, u32 instance, Sample *sample) {
  ENTER(gpuOf(device));
  char key[32];
  snprintf(key, sizeof key, "gpm-%u", instance);
  take(sample, gpuOf(device), key);
  return 0;
}
int nvmlGpmMetricsGet(GpmMetricsGet *request) {
  ENTER(-1);
  Sample *from = request->sample1, *to = request->sample2;
  if (request->version != 1) return 25;
  if (from == NULL || to == NULL || from == to || from->gpu != to->gpu || request->numMetrics > 333) return 2;
  for (u32 i = 0; i < request->numMetrics; i++) {
    GpmMetric *metric = &request->metrics[i];
    if (metric->metricId >= 333) return 2;
    metric->nvmlReturn = 0;
    metric->value = (to->counters[metric->metricId] - from->counters[metric->metricId]) / (to->clock - from->clock);
  }
  return 0;
}
#endif
