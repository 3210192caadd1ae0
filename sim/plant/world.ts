import type { DecodeModel, PrefillModel, TransferModel } from "../../core/latency-model.ts";
import type { Random } from "../random.ts";
import type { Fifo } from "./fifo.ts";
import type { Heap } from "./heap.ts";
import type { Job } from "./job.ts";
import type { Disturbance, PlantConfig, PlantPhase, PlantRole, PlantSink } from "./plant.types.ts";
import type { PrefixCache } from "./prefix-cache.ts";

export interface PlantModels {
  readonly prefill: PrefillModel;
  readonly decode: DecodeModel;
  readonly transfer: TransferModel;
}

interface ReplicaBase {
  readonly id: number;
  readonly gpus: number;
  readonly createdAt: number;
  readonly readyAt: number;
  phase: PlantPhase;
  /** Draining in order to serve in the other role on the same GPUs. */
  becomes: { readonly role: PlantRole; readonly at: number } | undefined;
  gone: boolean;
  /** Raised when a scheduled end (of a decode run, of a transfer) is no longer true; events carry the epoch they were made in. */
  epoch: number;
}

export interface PrefillReplica extends ReplicaBase {
  readonly role: "prefill";
  readonly queue: Fifo<Job>;
  readonly cache: PrefixCache;
  /** Prompts of the pass in progress and the tokens each computes in it. */
  batch: { readonly job: Job; readonly tokens: number }[];
  passStart: number;
  /** Prompt tokens routed here and not computed yet, the pass in progress included. */
  queuedTokens: number;
  /** KV held: prompts in a pass or computed, until their transfer ended. */
  heldTokens: number;
  /** Computed prompts that have no decode replica yet. */
  parked: number;
  /** Egress link: what it sends now and what waits behind. */
  sending: Job | undefined;
  /** When the transfer in progress ends. */
  sendingEnds: number;
  readonly outbox: Fifo<Job>;
}

export interface DecodeReplica extends ReplicaBase {
  readonly role: "decode";
  /** The batch, first to finish on top. */
  readonly running: Heap<Job>;
  /** KV arrived, no free sequence slot yet. */
  readonly waiting: Fifo<Job>;
  /** Admitted jobs whose first token has not been made. */
  fresh: Job[];
  /** Jobs whose KV is on its way or waits for the link. */
  incoming: number;
  /** Resident KV of the batch at the start of the run. */
  kv: number;
  /** KV set aside for incoming and waiting jobs. */
  reserved: number;
  /** The prompt computed here, if any, its tokens in the step in progress, and the seconds they add to it. */
  local: Job | undefined;
  chunk: number;
  chunkSeconds: number;
  /** Steps done before the run in progress. */
  steps: number;
  /** What the run in progress was timed with: a throttle that begins meanwhile counts from the next run on. */
  model: DecodeModel;
  runStart: number;
  /** Planned steps of the run in progress; 0 = idle. */
  runSteps: number;
  /** Of those, already told to the sink. */
  reported: number;
}

export type Replica = PrefillReplica | DecodeReplica;

export type EventKind = "arrival" | "ready" | "pass" | "transfer" | "run";

export interface PlantEvent {
  readonly time: number;
  /** Ties are served in the order in which they were scheduled. */
  readonly order: number;
  readonly kind: EventKind;
  readonly epoch: number;
  readonly replica: Replica | undefined;
  readonly job: Job | undefined;
}

export interface World {
  readonly config: PlantConfig;
  /** What replicas can do undisturbed, and now. */
  readonly calm: PlantModels;
  models: PlantModels;
  disturbance: Disturbance;
  readonly sink: PlantSink;
  readonly random: Random;
  /** Longest run told at once; 1 turns fast-forwarding off (tests compare both). */
  readonly maxRunSteps: number;
  readonly events: Heap<PlantEvent>;
  readonly prefill: PrefillReplica[];
  readonly decode: DecodeReplica[];
  /** Requests no prefill replica has taken yet. */
  readonly unrouted: Fifo<Job>;
  /** Computed prompts no decode replica has room for yet, oldest first. */
  readonly handoffs: Fifo<Job>;
  readonly desired: Record<PlantRole, number>;
  /** Replicas asked for that found no GPU, oldest first. */
  pending: PlantRole[];
  maxBatchedTokens: number;
  maxNumSeqs: number;
  now: number;
  order: number;
  nextReplica: number;
  admissions: number;
  draining: number;
  gpusUsed: number;
  /** GPU seconds of replicas that are gone. */
  gpuSecondsGone: number;
  inFlight: number;
}

export function schedule(world: World, time: number, kind: EventKind, replica: Replica | undefined, job?: Job): void {
  world.order += 1;
  world.events.push({ time, order: world.order, kind, epoch: replica?.epoch ?? 0, replica, job });
}
