import { z } from "zod";
import { COUNTERS, DISTRIBUTIONS, GAUGES } from "../core/engines/canonical.ts";
import { KV_PATH_PROBLEMS, KV_PATH_RATES } from "../core/kv-path.ts";
import { NIC_COUNTERS } from "../core/nic.ts";
import { ENGINE_KINDS } from "../core/pool.ts";

/**
 * Protocol between agent, scaler and browser, as data. One JSON object per WebSocket text message.
 * Every counter is a delta over the report's interval; every gauge may be missing (= absent).
 */
export const PROTOCOL_VERSION = 1;

/** Limits that both ends enforce; a message beyond them is refused, never truncated silently. */
export const LIMITS = {
  /** Bytes of one message. */
  message: 4 * 1024 * 1024,
  poolsPerReport: 64,
  replicasPerPool: 256,
  /** Sixteen GPUs, each split into seven instances. */
  gpusPerReport: 128,
  nicsPerReport: 32,
  /** Request halves one report may carry for stitching; more are counted in `requestsDropped`. */
  requestsPerReport: 2000,
} as const;

const finite = z.number();
const count = z.number().nonnegative();
const name = z.string().min(1).max(253);

const sketch = z.object({
  scale: z.number().int().min(-10).max(20),
  offset: z.number().int(),
  counts: z.array(count).max(4096),
  zeros: count,
  sum: finite,
  count,
  min: finite,
  max: finite,
});

export const distributionSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("sketch"), sketch }),
  z.object({
    kind: z.literal("buckets"),
    le: z.array(finite).max(512),
    counts: z.array(count).max(513),
    sum: finite,
    count,
  }),
]);

const replica = z.object({
  pod: name,
  phase: z.enum(["starting", "ready", "draining", "unreachable"]),
  /** Seconds since the replica was created. */
  age: count,
  /** Age of the figures below; absent = never scraped. */
  sampleAge: count.optional(),
  gauges: z.partialRecord(z.enum(GAUGES), finite),
});

const pool = z.object({
  namespace: name,
  pool: name,
  role: z.enum(["prefill", "decode", "aggregated", "frontend"]),
  model: name,
  engine: z.enum(ENGINE_KINDS),
  replicas: z.array(replica).max(LIMITS.replicasPerPool),
  /** Sums over the replicas of what happened in this interval. A name that no replica exposes is missing. */
  counters: z.partialRecord(z.enum(COUNTERS), count),
  /** From the engine's own histograms, merged over replicas. */
  distributions: z.partialRecord(z.enum(DISTRIBUTIONS), distributionSchema),
  /** From spans (one side of a request only), merged over replicas. */
  spans: z.partialRecord(z.enum(DISTRIBUTIONS), distributionSchema),
  /** Counter resets seen in this interval (an engine restarted). */
  resets: count,
});

/** GPU figures as of the report; rates per second; shares in 0..1; missing = the reader does not provide it. */
const gpu = z.object({
  gpu: z.string().max(32),
  uuid: z.string().max(128),
  pod: z.string().max(253).optional(),
  pool: z.string().max(253).optional(),
  role: z.enum(["prefill", "decode", "aggregated", "frontend"]).optional(),
  age: count,
  smActive: finite.optional(),
  smOccupancy: finite.optional(),
  tensorActive: finite.optional(),
  fp64Active: finite.optional(),
  fp32Active: finite.optional(),
  fp16Active: finite.optional(),
  dramActive: finite.optional(),
  memoryUsedBytes: finite.optional(),
  memoryTotalBytes: finite.optional(),
  powerWatts: finite.optional(),
  temperatureCelsius: finite.optional(),
  memoryTemperatureCelsius: finite.optional(),
  smClockHertz: finite.optional(),
  memoryClockHertz: finite.optional(),
  pcieReceiveBytesPerSecond: finite.optional(),
  pcieTransmitBytesPerSecond: finite.optional(),
  nvlinkReceiveBytesPerSecond: finite.optional(),
  nvlinkTransmitBytesPerSecond: finite.optional(),
  throttleSeconds: finite.optional(),
  /** XID events in this interval. */
  xid: z.array(z.object({ xid: z.number().int(), count })).optional(),
  /** Memory rows replaced over the board's life; `pending` waits for a reset, `failed` is out of spares. */
  remappedRows: z
    .object({
      correctable: count.optional(),
      uncorrectable: count.optional(),
      pending: z.boolean().optional(),
      failed: z.boolean().optional(),
    })
    .optional(),
  /** Whether the GPU is split into instances, which are then listed beside it. */
  mig: z.boolean().optional(),
  /** Of a MIG instance: UUID of the whole GPU, its profile, its compute slices ÷ those of the whole. */
  instance: z
    .object({ parent: z.string().max(128), profile: z.string().max(32).optional(), share: z.number().min(0).max(1).optional() })
    .optional(),
});

/** One port of an RDMA adapter as of the report. */
const nic = z.object({
  device: z.string().max(64),
  port: z.number().int().nonnegative(),
  /** Network interface of the port, where there is one. */
  netdev: z.string().max(64).optional(),
  linkLayer: z.string().max(64).optional(),
  up: z.boolean().optional(),
  linkBytesPerSecond: finite.optional(),
  age: count,
  /** Adapters are read less often than reports go out: empty in the intervals between. A counter that was reset is missing once. */
  counters: z.partialRecord(z.enum(NIC_COUNTERS), count),
});

/** The engines' KV bytes beside what the node's links carried, and what is wrong with the path. */
const kvPath = z.object({
  /** Seconds that the rates are means over, and how long ago those ended. */
  seconds: count,
  age: count,
  /** Bytes per second. */
  rates: z.partialRecord(z.enum(KV_PATH_RATES), finite),
  /** A problem that nothing speaks for or against is not listed. `since` is Unix seconds. */
  problems: z
    .array(z.object({ problem: z.enum(KV_PATH_PROBLEMS), raised: z.boolean(), since: finite, text: z.string().max(512).optional() }))
    .max(16),
});

/** One engine's half of a request, from its spans; the scaler joins halves by trace id. Times are Unix seconds. */
const requestHalf = z.object({
  trace: z.string().max(64),
  role: z.enum(["prefill", "decode", "aggregated", "frontend"]),
  pod: name,
  pool: name,
  namespace: name,
  start: finite,
  end: finite,
  /** Seconds after `start`. */
  firstToken: finite.optional(),
  queue: finite.optional(),
  prefill: finite.optional(),
  kvTransfer: finite.optional(),
  decode: finite.optional(),
  promptTokens: count.optional(),
  outputTokens: count.optional(),
});

const source = z.object({
  /** What is read; "targets" is the list of targets itself. */
  source: z.enum(["engine", "gpu", "otlp", "host", "targets"]),
  target: z.string().max(512),
  up: z.boolean(),
  /** Seconds since the last good read; absent = never. */
  age: count.optional(),
  error: z.string().max(512).optional(),
  /** Signals that an engine's page should give and does not; absent = nobody looked. */
  missing: count.optional(),
});

export const nodeReportSchema = z.object({
  type: z.literal("report"),
  v: z.literal(PROTOCOL_VERSION),
  node: name,
  /** New at every start of the agent, so that (boot, seq) is never reused. */
  boot: z.string().max(64),
  seq: z.number().int().nonnegative(),
  /** Unix seconds at the end of the interval. */
  at: finite,
  /** Seconds covered by the deltas. */
  interval: count,
  pools: z.array(pool).max(LIMITS.poolsPerReport),
  gpus: z.array(gpu).max(LIMITS.gpusPerReport),
  /** Missing from an agent that does not read adapters; so is `kvPath`. */
  nics: z.array(nic).max(LIMITS.nicsPerReport).optional(),
  kvPath: kvPath.optional(),
  requests: z.array(requestHalf).max(LIMITS.requestsPerReport),
  requestsDropped: count,
  sources: z.array(source).max(1024),
  /** Spans received in this interval, and spans refused by a limit. */
  spans: z.object({
    received: count,
    dropped: count,
    /** Share of the received spans that `requests` and the pools' `spans` come from; missing = all of them. */
    sampled: z.number().min(0).max(1).optional(),
  }),
  host: z.object({
    load1: finite.optional(),
    memoryUsedBytes: finite.optional(),
    memoryTotalBytes: finite.optional(),
    cores: finite.optional(),
    receiveBytesPerSecond: finite.optional(),
    transmitBytesPerSecond: finite.optional(),
  }),
  /** The agent's own cost: CPU seconds in the interval, resident bytes, reports lost from its outbox so far. */
  agent: z.object({ cpuSeconds: count, rssBytes: count, reportsDropped: count }),
});

const hello = z.object({
  type: z.literal("hello"),
  v: z.literal(PROTOCOL_VERSION),
  node: name,
  boot: z.string().max(64),
  version: z.string().max(64),
});
/** The scaler's answer: everything up to `seq` of this boot has been folded (-1: nothing yet). */
const welcome = z.object({ type: z.literal("welcome"), v: z.literal(PROTOCOL_VERSION), seq: z.number().int() });
const ack = z.object({ type: z.literal("ack"), seq: z.number().int() });
const refused = z.object({ type: z.literal("refused"), code: z.string(), message: z.string() });

/** What an agent may send. */
export const agentMessageSchema = z.discriminatedUnion("type", [hello, nodeReportSchema]);
/** What the scaler answers an agent. */
export const scalerMessageSchema = z.discriminatedUnion("type", [welcome, ack, refused]);

export type NodeReport = z.infer<typeof nodeReportSchema>;
export type PoolReport = z.infer<typeof pool>;
export type ReplicaReport = z.infer<typeof replica>;
export type GpuReport = z.infer<typeof gpu>;
export type NicReport = z.infer<typeof nic>;
export type RequestHalf = z.infer<typeof requestHalf>;
export type SourceReport = z.infer<typeof source>;
export type AgentMessage = z.infer<typeof agentMessageSchema>;
export type ScalerMessage = z.infer<typeof scalerMessageSchema>;
