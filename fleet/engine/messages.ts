import type { PlantPhase, PlantRole } from "../../sim/plant/plant.types.ts";

/** What the fleet tells one engine process, and back, over the child process channel. Times are Unix seconds. */
export type ServingEngine = "vllm" | "sglang";

export interface EngineStart {
  readonly type: "start";
  readonly engine: ServingEngine;
  readonly role: PlantRole;
  readonly host: string;
  /** A pod's is the one its manifest names; a process on a shared host takes a free one. */
  readonly port?: number;
  readonly pod: string;
  readonly model: string;
  readonly kvCapacityTokens: number;
  readonly kvBytesPerToken: number;
  /** Where spans go; absent when tracing is off. */
  readonly otlp?: { readonly protocol: "grpc" | "http/protobuf"; readonly url: string };
}

/** What an engine that runs as a pod says of itself when it comes to the fleet. */
export interface EngineHello {
  readonly role: PlantRole;
  readonly pod: string;
  readonly node: string;
  /** Address and port that its page is served on. */
  readonly host: string;
  readonly port: number;
  /** Where it sends its spans, by OTLP over HTTP; absent when tracing is off. */
  readonly otlp?: string;
}

/** A prefill pass: computed tokens, GPU seconds, prompts finished in it. */
export type PassEvent = readonly [tokens: number, seconds: number, finished: number];
/** Equal decode steps: count, seconds of one, sequences in each, and how many gaps between tokens they made. */
export type StepsEvent = readonly [steps: number, stepSeconds: number, sequences: number, gaps: number];
/** A request's first token on decode: latency as this engine sees it, prompt length, cached part of it. */
export type FirstTokenEvent = readonly [ttft: number, inputTokens: number, cachedTokens: number];
/** One KV hand-off as the side that records it sees it. */
export type TransferEvent = readonly [bytes: number, seconds: number];

/** A request that this engine has finished with. */
export interface Leg {
  readonly requestId: string;
  readonly traceId: string;
  readonly parentSpanId: string;
  /** bootstrap_room: the same on both sides (SGLang). */
  readonly room: string;
  readonly arrival: number;
  readonly scheduled: number;
  readonly firstToken: number;
  readonly end: number;
  readonly transferStart: number;
  readonly transferEnd: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

export interface EngineGauges {
  readonly phase: PlantPhase;
  readonly running: number;
  readonly waiting: number;
  readonly waitingForKv: number;
  readonly kvTokens: number;
  /** KV in flight on its way out (prefill). */
  readonly sending: number;
}

/** Everything that happened on the replica since the last update. */
export interface EngineUpdate {
  readonly type: "update";
  readonly gauges: EngineGauges;
  readonly passes: readonly PassEvent[];
  readonly steps: readonly StepsEvent[];
  readonly firstTokens: readonly FirstTokenEvent[];
  readonly transfers: readonly TransferEvent[];
  readonly transferFailures: number;
  readonly preemptions: number;
  readonly finished: readonly Leg[];
}

/** Serve the last scrape a little longer, send the spans, end. */
export interface EngineStop {
  readonly type: "stop";
  readonly lingerSeconds: number;
}

export type ToEngine = EngineStart | EngineUpdate | EngineStop;

export type FromEngine = { readonly type: "listening"; readonly port: number } | { readonly type: "failed"; readonly message: string };
