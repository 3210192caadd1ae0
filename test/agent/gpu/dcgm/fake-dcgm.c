/*
 * A libdcgm.so.4 with a host engine inside that plays a script, in lines of a text file named by FAKE_DCGM. The file is read again whenever it
 * was replaced. Structures are declared here as DCGM's API reference describes them; layout.h, generated from agent/gpu/dcgm/layout.ts, has the
 * reader's idea of their offsets, and the compiler compares the two.
 *
 * Lines: "<entity> <key> <value>". An entity is g0 (GPU 0), i5 (GPU instance 5), or - for the host engine.
 *   - listens <address> <1 if a socket's path>     - gpus <id> <id> …           - clock <microseconds>
 *   - rc.<function> <status>   - crash <function>   - hang <function>           - refuse.<field> <status of watching it>
 *   <e> field.<id> <i|d|s> <value>                 <e> status.<id> <status>     <e> ts.<id> <microseconds>
 *   <i> part <GPU> <instance id> <slices>          <g> xid <microseconds> <code>     <g> process <microseconds> <pid> <bytes>
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "layout.h"

typedef uint32_t u32;
typedef struct { u32 version, persistAfterDisconnect, timeoutMs, addressIsUnixSocket; } ConnectParams;
typedef struct { u32 entityGroupId, entityId; } Pair;
typedef union { int64_t i64; double dbl; char str[256]; char blob[4096]; } Value;
typedef struct { u32 version; unsigned short fieldId, fieldType; int status; int64_t ts; Value value; } ValueV1;
typedef struct { u32 version, entityGroupId, entityId; unsigned short fieldId, fieldType; int status; u32 unused; int64_t ts; Value value; } ValueV2;
typedef struct { u32 version, pid; unsigned long long memoryUsed; } Process;
typedef struct { char gpuUuid[128]; u32 nvmlGpuIndex, nvmlInstanceId, nvmlComputeInstanceId, nvmlMigProfileId, nvmlProfileSlices; } MigInfo;
typedef struct { Pair entity, parent; MigInfo info; } MigEntity;
typedef struct { u32 version, count; MigEntity list[448]; } MigHierarchy;

#define SAME(type, member, name) _Static_assert(offsetof(type, member) == name, #type "." #member)
#define SIZE(type, name) _Static_assert(sizeof(type) == name, #type)
SIZE(ConnectParams, LAYOUT_connectParams_size);
SAME(ConnectParams, version, LAYOUT_connectParams_version);
SAME(ConnectParams, persistAfterDisconnect, LAYOUT_connectParams_persistAfterDisconnect);
SAME(ConnectParams, timeoutMs, LAYOUT_connectParams_timeoutMs);
SAME(ConnectParams, addressIsUnixSocket, LAYOUT_connectParams_addressIsUnixSocket);
SIZE(Pair, LAYOUT_entityPair_size);
SAME(Pair, entityGroupId, LAYOUT_entityPair_entityGroupId);
SAME(Pair, entityId, LAYOUT_entityPair_entityId);
SIZE(ValueV1, LAYOUT_fieldValueV1_size);
SAME(ValueV1, version, LAYOUT_fieldValueV1_version);
SAME(ValueV1, fieldId, LAYOUT_fieldValueV1_fieldId);
SAME(ValueV1, fieldType, LAYOUT_fieldValueV1_fieldType);
SAME(ValueV1, status, LAYOUT_fieldValueV1_status);
SAME(ValueV1, ts, LAYOUT_fieldValueV1_ts);
SAME(ValueV1, value, LAYOUT_fieldValueV1_value);
SIZE(ValueV2, LAYOUT_fieldValueV2_size);
SAME(ValueV2, version, LAYOUT_fieldValueV2_version);
SAME(ValueV2, entityGroupId, LAYOUT_fieldValueV2_entityGroupId);
SAME(ValueV2, entityId, LAYOUT_fieldValueV2_entityId);
SAME(ValueV2, fieldId, LAYOUT_fieldValueV2_fieldId);
SAME(ValueV2, fieldType, LAYOUT_fieldValueV2_fieldType);
SAME(ValueV2, status, LAYOUT_fieldValueV2_status);
SAME(ValueV2, ts, LAYOUT_fieldValueV2_ts);
SAME(ValueV2, value, LAYOUT_fieldValueV2_value);
SIZE(Process, LAYOUT_runningProcess_size);
SAME(Process, version, LAYOUT_runningProcess_version);
SAME(Process, pid, LAYOUT_runningProcess_pid);
SAME(Process, memoryUsed, LAYOUT_runningProcess_memoryUsed);
SIZE(MigEntity, LAYOUT_migEntity_size);
SAME(MigEntity, entity.entityGroupId, LAYOUT_migEntity_entityGroupId);
SAME(MigEntity, entity.entityId, LAYOUT_migEntity_entityId);
SAME(MigEntity, parent.entityGroupId, LAYOUT_migEntity_parentGroupId);
SAME(MigEntity, parent.entityId, LAYOUT_migEntity_parentId);
SAME(MigEntity, info.gpuUuid, LAYOUT_migEntity_gpuUuid);
SAME(MigEntity, info.nvmlGpuIndex, LAYOUT_migEntity_nvmlGpuIndex);
SAME(MigEntity, info.nvmlInstanceId, LAYOUT_migEntity_nvmlInstanceId);
SAME(MigEntity, info.nvmlComputeInstanceId, LAYOUT_migEntity_nvmlComputeInstanceId);
SAME(MigEntity, info.nvmlMigProfileId, LAYOUT_migEntity_nvmlMigProfileId);
SAME(MigEntity, info.nvmlProfileSlices, LAYOUT_migEntity_nvmlProfileSlices);
SIZE(MigHierarchy, LAYOUT_migHierarchy_size + 448 * LAYOUT_migEntity_size);
SAME(MigHierarchy, version, LAYOUT_migHierarchy_version);
SAME(MigHierarchy, count, LAYOUT_migHierarchy_count);
SAME(MigHierarchy, list, LAYOUT_migHierarchy_entityList);

#define VERSION(type, n) ((u32)(sizeof(type) | (u32)(n) << 24))
enum { GPU = 1, INSTANCE = 4 };

static struct { char entity[16], key[64], value[160]; } lines[4096];
static int count;
static struct stat seen;

static void load(void) {
  const char *path = getenv("FAKE_DCGM");
  struct stat now;
  if (path == NULL || stat(path, &now) != 0) return;
  if (now.st_ino == seen.st_ino && now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec && now.st_size == seen.st_size) return;
  seen = now;
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  char line[300];
  for (count = 0; count < 4096 && fgets(line, sizeof line, file) != NULL;)
    if (sscanf(line, "%15s %63s %159[^\n]", lines[count].entity, lines[count].key, lines[count].value) == 3) count++;
  fclose(file);
}
static const char *find(const char *entity, const char *key) {
  for (int i = 0; i < count; i++)
    if (strcmp(lines[i].entity, entity) == 0 && strcmp(lines[i].key, key) == 0) return lines[i].value;
  return NULL;
}
static const char *findId(const char *entity, const char *key, u32 id) {
  char full[64];
  snprintf(full, sizeof full, "%s.%u", key, id);
  return find(entity, full);
}
static const char *nameOf(u32 group, u32 id) {
  static char name[16];
  snprintf(name, sizeof name, "%c%u", group == GPU ? 'g' : 'i', id);
  return name;
}
static int enter(const char *call) {
  load();
  const char *value = find("-", "crash");
  if (value != NULL && strcmp(value, call) == 0) raise(SIGSEGV);
  value = find("-", "hang");
  if (value != NULL && strcmp(value, call) == 0) for (;;) pause();
  char key[64];
  snprintf(key, sizeof key, "rc.%.50s", call);
  value = find("-", key);
  return value == NULL ? 0 : atoi(value);
}
#define ENTER do { int rc = enter(__func__); if (rc != 0) return rc; } while (0)

static int started;
static const uintptr_t HANDLE = 7;
#define CONNECTED(handle) do { if (!started || (handle) != HANDLE) return -21; } while (0)

int dcgmInit(void) { ENTER; started = 1; return 0; }
int dcgmConnect_v2(const char *address, ConnectParams *params, uintptr_t *handle) {
  ENTER;
  if (!started) return -10;
  if (params->version != VERSION(ConnectParams, 2)) return -12;
  char at[128] = "";
  u32 isSocket = 9;
  const char *value = find("-", "listens");
  if (value == NULL || sscanf(value, "%127s %u", at, &isSocket) != 2 || strcmp(at, address) != 0 || isSocket != params->addressIsUnixSocket) return -21;
  if (params->persistAfterDisconnect != 0 || params->timeoutMs == 0) return -1;
  *handle = HANDLE;
  return 0;
}
int dcgmGetEntityGroupEntities(uintptr_t handle, int group, u32 *ids, int *n, u32 flags) {
  ENTER;
  CONNECTED(handle);
  if (group != GPU || flags != 1) return -1;
  int found = 0, length = 0;
  const char *value = find("-", "gpus");
  for (u32 id; value != NULL && sscanf(value, "%u%n", &id, &length) == 1; value += length) {
    if (found >= *n) return -31;
    ids[found++] = id;
  }
  *n = found;
  return 0;
}
int dcgmGetGpuInstanceHierarchy(uintptr_t handle, MigHierarchy *hierarchy) {
  ENTER;
  CONNECTED(handle);
  if (hierarchy->version != VERSION(MigHierarchy, 2)) return -12;
  hierarchy->count = 0;
  for (int i = 0; i < count; i++) {
    u32 gpu, instance, slices;
    if (strcmp(lines[i].key, "part") != 0 || sscanf(lines[i].value, "%u %u %u", &gpu, &instance, &slices) != 3) continue;
    u32 id = (u32)atoi(lines[i].entity + 1);
    /* The instance, and the compute instance in it. */
    hierarchy->list[hierarchy->count++] = (MigEntity){{INSTANCE, id}, {GPU, gpu}, {"GPU-of-it", gpu, instance, 0xffffffff, 19, slices}};
    hierarchy->list[hierarchy->count++] = (MigEntity){{5, id}, {INSTANCE, id}, {"GPU-of-it", gpu, instance, 0, 0, slices}};
  }
  return 0;
}

/* Groups and field groups live as long as the connection. */
static struct { char name[64]; Pair entities[64]; int n; } groups[256];
static struct { char name[64]; unsigned short ids[128]; int n; } fieldGroups[256];
static int groupCount, fieldGroupCount;
static struct { u32 group, field; } watches[256];
static int watchCount;

int dcgmGroupCreate(uintptr_t handle, int type, const char *name, uintptr_t *group) {
  ENTER;
  CONNECTED(handle);
  if (type != 1 || groupCount >= 256) return -1;
  for (int i = 0; i < groupCount; i++) if (strcmp(groups[i].name, name) == 0) return -26;
  snprintf(groups[groupCount].name, sizeof groups[0].name, "%s", name);
  groups[groupCount].n = 0;
  *group = (uintptr_t)groupCount++;
  return 0;
}
int dcgmGroupAddEntity(uintptr_t handle, uintptr_t group, int kind, u32 id) {
  ENTER;
  CONNECTED(handle);
  if (groups[group].n >= 64) return -24;
  groups[group].entities[groups[group].n++] = (Pair){(u32)kind, id};
  return 0;
}
int dcgmGroupDestroy(uintptr_t handle, uintptr_t group) { ENTER; CONNECTED(handle); groups[group].name[0] = 0; return 0; }
int dcgmFieldGroupCreate(uintptr_t handle, int n, unsigned short *ids, const char *name, uintptr_t *fieldGroup) {
  ENTER;
  CONNECTED(handle);
  if (n < 1 || n > 128 || fieldGroupCount >= 256) return -1;
  for (int i = 0; i < fieldGroupCount; i++) if (strcmp(fieldGroups[i].name, name) == 0) return -26;
  snprintf(fieldGroups[fieldGroupCount].name, sizeof fieldGroups[0].name, "%s", name);
  memcpy(fieldGroups[fieldGroupCount].ids, ids, (size_t)n * sizeof *ids);
  fieldGroups[fieldGroupCount].n = n;
  *fieldGroup = (uintptr_t)fieldGroupCount++;
  return 0;
}
int dcgmFieldGroupDestroy(uintptr_t handle, uintptr_t fieldGroup) { ENTER; CONNECTED(handle); fieldGroups[fieldGroup].name[0] = 0; return 0; }
int dcgmWatchFields(uintptr_t handle, uintptr_t group, uintptr_t fieldGroup, long long micros, double keep, int samples) {
  ENTER;
  CONNECTED(handle);
  if (micros < 100000 || keep * 1e6 < (double)micros || samples != 0) return -1;
  for (int i = 0; i < fieldGroups[fieldGroup].n; i++) {
    const char *status = findId("-", "refuse", fieldGroups[fieldGroup].ids[i]);
    if (status != NULL) return atoi(status);
  }
  if (watchCount >= 256) return -24;
  watches[watchCount].group = (u32)group;
  watches[watchCount++].field = (u32)fieldGroup;
  return 0;
}
int dcgmUnwatchFields(uintptr_t handle, uintptr_t group, uintptr_t fieldGroup) {
  ENTER;
  CONNECTED(handle);
  for (int i = 0; i < watchCount; i++)
    if (watches[i].group == group && watches[i].field == fieldGroup) watches[i].group = 0xffffffff;
  return 0;
}
static int isWatched(Pair entity, unsigned short field) {
  for (int i = 0; i < watchCount; i++) {
    if (watches[i].group == 0xffffffff) continue;
    int in = 0;
    for (int e = 0; e < groups[watches[i].group].n; e++) {
      Pair *one = &groups[watches[i].group].entities[e];
      in |= one->entityGroupId == entity.entityGroupId && one->entityId == entity.entityId;
    }
    for (int f = 0; in && f < fieldGroups[watches[i].field].n; f++) if (fieldGroups[watches[i].field].ids[f] == field) return 1;
  }
  return 0;
}
int dcgmUpdateAllFields(uintptr_t handle, int wait) { ENTER; CONNECTED(handle); return wait == 1 ? 0 : -1; }

static int64_t engineClock(void) {
  const char *value = find("-", "clock");
  return value == NULL ? 1000000000 : atoll(value);
}
int dcgmEntitiesGetLatestValues(uintptr_t handle, Pair *entities, u32 n, unsigned short *fields, u32 m, u32 flags, ValueV2 *values) {
  ENTER;
  CONNECTED(handle);
  const char *version = find("-", "value-version");
  for (u32 e = 0; e < n; e++)
    for (u32 f = 0; f < m; f++) {
      /* Fields outermost: the order is not promised. */
      ValueV2 *value = &values[f * n + e];
      memset(value, 0xa5, sizeof *value);
      value->version = version == NULL ? VERSION(ValueV2, 2) : (u32)strtoul(version, NULL, 16);
      value->entityGroupId = entities[e].entityGroupId;
      value->entityId = entities[e].entityId;
      value->fieldId = fields[f];
      value->status = 0;
      value->fieldType = 'i';
      const char *name = nameOf(entities[e].entityGroupId, entities[e].entityId);
      const char *ts = findId(name, "ts", fields[f]);
      value->ts = ts == NULL ? engineClock() : atoll(ts);
      const char *status = findId(name, "status", fields[f]);
      if (status != NULL) { value->status = atoi(status); continue; }
      if (flags == 0 && !isWatched(entities[e], fields[f])) { value->status = -16; continue; }
      const char *found = findId(name, "field", fields[f]);
      char type, text[128] = "";
      if (found == NULL || sscanf(found, "%c %127[^\n]", &type, text) != 2) { value->status = -14; continue; }
      value->fieldType = (unsigned short)type;
      if (type == 'i') value->value.i64 = strtoll(text, NULL, 0);
      else if (type == 'd') value->value.dbl = strtod(text, NULL);
      else snprintf(value->value.str, sizeof value->value.str, "%s", text);
    }
  return 0;
}

typedef int (*Each)(int, u32, ValueV1 *, int, void *);
int dcgmGetValuesSince_v2(uintptr_t handle, uintptr_t group, uintptr_t fieldGroup, long long since, long long *next, Each each, void *user) {
  ENTER;
  CONNECTED(handle);
  long long newest = since;
  for (int e = 0; e < groups[group].n; e++)
    for (int f = 0; f < fieldGroups[fieldGroup].n; f++) {
      static ValueV1 found[64];
      int n = 0;
      unsigned short field = fieldGroups[fieldGroup].ids[f];
      const char *name = nameOf(groups[group].entities[e].entityGroupId, groups[group].entities[e].entityId);
      for (int i = 0; i < count && n < 64; i++) {
        if (strcmp(lines[i].entity, name) != 0) continue;
        long long ts, memory;
        u32 number;
        ValueV1 value;
        memset(&value, 0xa5, sizeof value);
        value.version = VERSION(ValueV1, 1);
        value.fieldId = field;
        value.status = 0;
        if (field == 230 && strcmp(lines[i].key, "xid") == 0 && sscanf(lines[i].value, "%lld %u", &ts, &number) == 2) {
          value.fieldType = 'i';
          value.value.i64 = number;
        } else if (field == 221 && strcmp(lines[i].key, "process") == 0 && sscanf(lines[i].value, "%lld %u %lld", &ts, &number, &memory) == 3) {
          value.fieldType = 'b';
          Process process = {VERSION(Process, 1), number, (unsigned long long)memory};
          memcpy(value.value.blob, &process, sizeof process);
        } else continue;
        value.ts = ts;
        if (ts < since) continue;
        if (ts >= newest) newest = ts + 1;
        found[n++] = value;
      }
      if (n > 0 && each((int)groups[group].entities[e].entityGroupId, groups[group].entities[e].entityId, found, n, user) != 0) return -3;
      memset(found, 0xee, sizeof found);
    }
  *next = newest;
  return 0;
}
