import { z } from "zod";
import { ok, err, type Result } from "../core/result.ts";
import type { PlantRequest } from "../sim/plant/plant.types.ts";

/** Why the fleet cannot run. The caller prints the message and exits with 2. */
export type FleetErrorCode = "bad-settings" | "bad-trace" | "bad-profile" | "port-in-use" | "engine-script-missing" | "engines-failed";

export class FleetError extends Error {
  readonly code: FleetErrorCode;
  constructor(code: FleetErrorCode, message: string) {
    super(message);
    this.name = "FleetError";
    this.code = code;
  }
}

/** DNS label: pod and node names are made of these. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const name = z.string().regex(NAME, "lower-case letters, digits and '-' only, as in a DNS label");
const url = z.url({ protocol: /^https?$/ });
const seconds = z.number().min(0).max(86_400);
const count = (max: number) => z.number().int().min(0).max(max);

const request = z.object({
  id: z.number().int(),
  arrival: z.number().min(0),
  inputTokens: z.number().int().min(1),
  outputTokens: z.number().int().min(1),
  hashIds: z.array(z.number()).readonly().optional(),
});

/** More requests than this are a mistake in --rate: the fleet keeps each one in memory. */
const MAX_REQUESTS = 2_000_000;

const workload = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("builtin") }),
  z.object({ kind: z.literal("trace"), path: z.string().min(1), skipBad: z.boolean().default(false) }),
  z.object({ kind: z.literal("requests"), requests: z.array(request).max(MAX_REQUESTS).readonly() }),
]);

const node = z.object({
  name,
  gpus: z.number().int().min(1).max(64),
  /** Where engines on this node send their spans: the node's agent. */
  otlp: z.object({ grpc: url, http: url }).optional(),
});

const settings = z.object({
  host: z.string().min(1).default("127.0.0.1"),
  /** Port of the control API; 0 takes a free one. */
  port: z.number().int().min(0).max(65_535),
  runDir: z.string().min(1),
  nodes: z.array(node).min(1).max(64),
  namespace: name.default("serving"),
  model: z.string().min(1).max(120).default("llama-8b"),
  engine: z.enum(["vllm", "sglang"]).default("vllm"),
  workload: workload.default({ kind: "builtin" }),
  /** Who runs the engines: child processes, which the control API scales, or pods that come and go as a cluster has them. */
  engines: z.enum(["processes", "pods"]).default("processes"),
  /** The trace begins anew where it ends. */
  repeat: z.boolean().default(false),
  /** Multiplies arrivals; the clock stays real. */
  rate: z.number().positive().max(10_000).default(1),
  /** Where in the trace to begin, and how much of it to play. */
  from: seconds.default(0),
  duration: seconds.optional(),
  seed: z.number().int().default(1),
  /** Profile file; the built-in one (one H200, 8B model) when absent. */
  profile: z.string().min(1).optional(),
  leadTime: z.number().min(0).max(3600).default(15),
  /** Time between engines being up and the first request, for agents and scaler to find them. */
  startDelay: z.number().min(0).max(600).default(5),
  initial: z.object({ prefill: count(512), decode: count(512) }).default({ prefill: 1, decode: 1 }),
  limits: z
    .object({ maxBatchedTokens: z.number().int().min(1), maxNumSeqs: z.number().int().min(1) })
    .default({ maxBatchedTokens: 8192, maxNumSeqs: 256 }),
  spans: z.boolean().default(true),
  /** The bundled engine program; found beside this program when absent. */
  engineScript: z.string().min(1).optional(),
});

export type FleetSettings = z.infer<typeof settings>;
/** What a caller writes: everything with a default may be left out. */
export type FleetSettingsInput = z.input<typeof settings>;
export type FleetNode = FleetSettings["nodes"][number];

export function parseFleetSettings(input: unknown): Result<FleetSettings, FleetError> {
  const parsed = settings.safeParse(input);
  if (!parsed.success) return err(new FleetError("bad-settings", `fleet settings: ${problems(parsed.error)}`));
  const names = parsed.data.nodes.map((one) => one.name);
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) return err(new FleetError("bad-settings", `fleet settings: nodes: two nodes are called ${twice}`));
  return ok(parsed.data);
}

const problems = (error: z.ZodError): string =>
  error.issues.map((issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`).join("; ");

/** zod writes optional fields as `T | undefined`; the plant's type leaves them out. */
export function toPlantRequest(one: z.infer<typeof request>): PlantRequest {
  const { id, arrival, inputTokens, outputTokens, hashIds } = one;
  return { id, arrival, inputTokens, outputTokens, ...(hashIds === undefined ? {} : { hashIds }) };
}
