import type { PlantConfig, PlantRole } from "../sim/plant/plant.types.ts";
import type { FleetSettings } from "./config.ts";
import type { EngineHello, EngineStart } from "./engine/messages.ts";
import type { Workload } from "./workload.ts";

/** What the plant is told of the settings. */
export function plantConfig(settings: FleetSettings, { profile }: Workload): PlantConfig {
  const { initial, leadTime, limits } = settings;
  const { gpusPerReplica } = profile;
  return {
    seed: settings.seed,
    prefill: {
      replicas: settings.engines === "pods" ? 0 : initial.prefill,
      leadTime,
      gpusPerReplica: gpusPerReplica.prefill,
      maxBatchedTokens: limits.maxBatchedTokens,
    },
    decode: {
      replicas: settings.engines === "pods" ? 0 : initial.decode,
      leadTime,
      gpusPerReplica: gpusPerReplica.decode,
      maxNumSeqs: limits.maxNumSeqs,
    },
    gpus: settings.nodes.reduce((sum, node) => sum + node.gpus, 0),
    kvBytesPerToken: profile.kvBytesPerToken,
    kvCapacityTokens: profile.kvCapacityTokens,
  };
}

/** `llama-8b` → `llama`: deployments are named after the model's family. */
export const podPrefix = (model: string): string => /[a-z0-9]+/.exec((model.split("/").at(-1) ?? model).toLowerCase())?.[0] ?? "model";

/** What an engine that came as a pod is told: its own words, and what it serves. */
export function podStart({ engine, model, spans }: FleetSettings, { profile }: Workload, hello: EngineHello): EngineStart {
  const { role, pod, host, port, otlp } = hello;
  const { kvCapacityTokens, kvBytesPerToken } = profile;
  const start = { type: "start", engine, role, host, port, pod, model, kvCapacityTokens, kvBytesPerToken } as const;
  return spans && otlp !== undefined ? { ...start, otlp: { protocol: "http/protobuf", url: otlp } } : start;
}

export interface EnginePlace {
  readonly role: PlantRole;
  readonly pod: string;
  readonly node: string;
}

/** What an engine process is told when it starts. */
export function engineStart(settings: FleetSettings, { profile }: Workload, { role, pod, node }: EnginePlace): EngineStart {
  const otlp = settings.nodes.find((one) => one.name === node)?.otlp;
  const start = {
    type: "start",
    engine: settings.engine,
    role,
    host: settings.host,
    pod,
    model: settings.model,
    kvCapacityTokens: profile.kvCapacityTokens,
    kvBytesPerToken: profile.kvBytesPerToken,
  } as const;
  if (!settings.spans || otlp === undefined) return start;
  // Both protocols are in use in the field: prefill engines send over gRPC, decode engines over HTTP.
  if (role === "prefill") return { ...start, otlp: { protocol: "grpc", url: otlp.grpc } };
  return { ...start, otlp: { protocol: "http/protobuf", url: otlp.http } };
}
