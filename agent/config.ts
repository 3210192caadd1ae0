import { z } from "zod";
import { GPU_READERS } from "./gpu/choice.ts";
import { NVML_LIBRARY } from "./gpu/driver.ts";
import { durationSetting } from "../wire/duration.ts";

/** 0 lets the system choose a free port (the log says which); "off" does not listen. */
const port = z.coerce.number({ error: "not a port; write a number from 0 to 65535" }).int().min(0).max(65_535);
const optionalPort = z.union([z.literal("off"), port], { error: 'not a port; write a number from 0 to 65535, or "off"' });
const whole = z.coerce.number({ error: "not a number" }).int();

/**
 * Settings of one agent. Each is a key of the configuration file, a flag (`--otlp-grpc-port`) and an environment
 * variable (`FULCRUM_OTLP_GRPC_PORT`); docs/agent.md describes them for people.
 */
export const agentSettingsSchema = z
  .object({
    /** The node's name, as the targets file and the scaler know it. */
    node: z.string().min(1).max(253),
    /** Path of the static targets file (core/targets.ts). */
    targets: z.string().min(1).optional(),
    /** Whether pods of this node are found through the API server; a targets file may be set besides. */
    discovery: z.enum(["off", "kubernetes"], { error: 'not a way to discover; write "kubernetes" or "off"' }).default("off"),
    /** The one namespace whose pods are looked at, by a right in it alone; by default all, each on this node only. */
    discoveryNamespace: z.string().min(1).max(63).optional(),
    /** Address of the API server; by default the one that Kubernetes tells its containers. */
    kubeApi: z.url({ protocol: /^https?$/, error: "not an http or https address" }).optional(),
    /** The kubelet's PodResources socket, which tells which pod was given which GPU; "off" does not ask. Without the folder nobody is asked. */
    podResources: z.string().min(1).default("/var/lib/kubelet/pod-resources/kubelet.sock"),
    /** Folder of the ServiceAccount's `token` and `ca.crt`, read anew for each request. */
    serviceAccount: z.string().min(1).default("/var/run/secrets/kubernetes.io/serviceaccount"),
    scalerUrl: z
      .url({ protocol: /^wss?$/, error: "not a WebSocket address; write for example ws://127.0.0.1:8900/agents" })
      .default("ws://127.0.0.1:8900/agents"),
    /** Bearer token for the scaler link. */
    token: z.string().min(1).optional(),
    /** File that holds it instead; read at each connection, so that a token that is renewed needs no restart. */
    tokenFile: z.string().min(1).optional(),
    /** Client certificate (PEM) and its key for a scaler with `clientCa`; read at each connection. */
    clientCert: z.string().min(1).optional(),
    clientKey: z.string().min(1).optional(),
    /** Address that /metrics and the OTLP receivers listen on. */
    host: z.string().min(1).default("127.0.0.1"),
    /** Port of /metrics, /healthz and /readyz; 9464 is the conventional one of OpenTelemetry's Prometheus exporters. */
    port: port.default(9464),
    otlpGrpcPort: optionalPort.default(4317),
    otlpHttpPort: optionalPort.default(4318),
    /** Where received traces are passed on, unchanged. Over http every format can be; over grpc JSON bodies cannot. */
    downstreamOtlp: z
      .url({
        protocol: /^(https?|grpcs?)$/,
        error: "not a collector's address; write for example http://127.0.0.1:4318 or grpc://127.0.0.1:4317",
      })
      .optional(),
    /** Bytes of received traces kept for a downstream that is away or slow. */
    downstreamQueueBytes: whole
      .min(64 * 1024)
      .max(1024 * 1024 * 1024)
      .default(16 * 1024 * 1024),
    /** Spans looked into per second; beyond it whole traces are counted and forwarded only. */
    maxSpansPerSecond: whole.min(1).max(1_000_000).default(2000),
    /** One scrape of every target and one report per interval. */
    interval: durationSetting.default(1),
    /** What reads the GPUs: NVML directly, a host engine of DCGM, dcgm-exporter pages, or the best of them that works here (docs/gpu.md). */
    gpuReader: z.enum(GPU_READERS, { error: 'not a GPU reader; write "auto", "nvml", "dcgm", "dcgm-exporter" or "off"' }).default("auto"),
    /** How often NVML or DCGM is read. The driver's own counters move every 100 ms, so faster than that is refused. */
    gpuInterval: durationSetting
      .refine((seconds) => seconds >= 0.1, { error: "shorter than the driver's own 100 ms; write 100ms or more" })
      .default(1),
    /** The driver's library, by name or path. */
    nvmlLibrary: z.string().min(1).default(NVML_LIBRARY),
    /** Where the processes of the host are seen, for PID → pod; differs where the host's /proc is mounted elsewhere. */
    procPath: z.string().min(1).default("/proc"),
    /** Where the host's /sys is seen, for the counters of its network adapters. */
    sysPath: z.string().min(1).default("/sys"),
    /** The program that reads NVML in a process of its own; by default the one beside this program. */
    nvmlProgram: z.string().min(1).optional(),
    /** Where nv-hostengine listens. Named, `auto` uses it too; `dcgm` alone looks for it on this node. */
    dcgmHost: z
      .string()
      .regex(/^(?:\/.+|unix:\/\/\/.+|[^\s/:]+(?::\d{1,5})?)$/, {
        error: "not a host engine's address; write for example 127.0.0.1:5555 or unix:///tmp/nv-hostengine",
      })
      .optional(),
    /** DCGM's client library, by name or path. */
    dcgmLibrary: z.string().min(1).default("libdcgm.so.4"),
    /** The program that reads DCGM in a process of its own; by default the one beside this program. */
    dcgmProgram: z.string().min(1).optional(),
    /** A target that takes longer is down for this round. */
    scrapeTimeout: durationSetting.default(2),
    /** Bytes of one scraped page, after decompression. A vLLM page is about 55 kB per engine rank. */
    maxPageBytes: whole
      .min(1024)
      .max(256 * 1024 * 1024)
      .default(8 * 1024 * 1024),
    /** Reports kept for a scaler that is away; 600 is ten minutes at 1 Hz. */
    outboxSize: whole.min(1).max(100_000).default(600),
    logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  })
  .refine(({ targets, discovery }) => targets !== undefined || discovery !== "off", {
    path: ["targets"],
    error: "neither a targets file nor discovery is set, so there is nothing to read; set --targets or --discovery kubernetes",
  })
  .refine(({ clientCert, clientKey }) => (clientCert === undefined) === (clientKey === undefined), {
    path: ["clientCert"],
    error: "clientCert and clientKey go together; set both or neither",
  });

export type AgentSettings = z.output<typeof agentSettingsSchema>;
