/**
 * The plant's door: a discrete-event model of disaggregated serving that both the back-test (virtual clock)
 * and the live fleet (wall clock) drive. Times are seconds since the plant's start; lengths are tokens.
 */
export interface PlantRequest {
  readonly id: number;
  /** Arrival, seconds since the plant's start. */
  readonly arrival: number;
  readonly inputTokens: number;
  /** At least 1. The first output token is made by prefill. */
  readonly outputTokens: number;
  /** Prefix blocks of 512 tokens; equal ids are reusable KV. */
  readonly hashIds?: readonly number[];
}

export interface PoolSettings {
  readonly replicas: number;
  readonly leadTime: number;
  readonly gpusPerReplica: number;
}

/**
 * Convertible decode: a prompt that would have to wait is computed where it will be decoded, in chunks beside the decode steps, and
 * needs no transfer. One prompt at a time per decode replica.
 */
export interface LocalPrefill {
  /** Prompt tokens computed per step: what a step's time may be stretched by. */
  readonly chunkTokens: number;
  /** Only a prompt before which more than so many tokens are queued at its best prefill replica (or that finds none). */
  readonly queueTokens: number;
}

export interface PlantConfig {
  readonly seed: number;
  readonly prefill: PoolSettings & { readonly maxBatchedTokens: number };
  readonly decode: PoolSettings & { readonly maxNumSeqs: number; readonly localPrefill?: LocalPrefill };
  /** GPUs that exist; a replica that finds none waits as unschedulable. */
  readonly gpus: number;
  readonly kvBytesPerToken: number;
  readonly kvCapacityTokens: number;
}

export type PlantRole = "prefill" | "decode";
export type PlantPhase = "starting" | "ready" | "draining";

export interface PlantReplica {
  readonly id: number;
  readonly role: PlantRole;
  readonly phase: PlantPhase;
  readonly createdAt: number;
  readonly readyAt: number;
  readonly waiting: number;
  readonly running: number;
  /** Queued prompt tokens not yet computed (prefill). */
  readonly queuedTokens: number;
  readonly kvTokens: number;
  /** Decode only: requests whose KV is still on its way. */
  readonly waitingForKv: number;
  /** Draining towards the other role (a live role switch), and since when. */
  readonly becomes?: { readonly role: PlantRole; readonly at: number };
}

/** What is wrong with the plant now; factors multiply times, 1 is healthy. */
export interface Disturbance {
  /** KV transfers, the one on the link included: what is left of it takes as much longer. */
  readonly link: number;
  /** Prefill passes, from the next one on. */
  readonly prefill: number;
  /** Decode steps, from the next one on. */
  readonly decode: number;
  /** Lead time of replicas that start from now on. */
  readonly leadTime: number;
  /** False: no replica gets a GPU; those asked for wait as unschedulable. */
  readonly schedulable: boolean;
}

/** One finished (or lost) request, all times absolute plant seconds. */
export interface RequestRecord {
  readonly request: PlantRequest;
  /** The decode replica itself where it computed the prompt; there is no transfer then (0 bytes in no time). */
  readonly prefillReplica: number;
  readonly decodeReplica: number;
  readonly cachedTokens: number;
  readonly prefillStart: number;
  readonly prefillEnd: number;
  readonly transferStart: number;
  readonly transferEnd: number;
  readonly transferBytes: number;
  readonly decodeStart: number;
  /** When the user got the first token: KV arrived, decode admitted, first step done. */
  readonly firstToken: number;
  readonly end: number;
  /** Lost with a crashed replica and not retried. */
  readonly failed: boolean;
}

/** What the plant reports as it happens, in event order. Every callback is cheap and may be omitted. */
export interface PlantSink {
  /** A request entered a replica's queue (prefill at arrival; decode when its KV transfer starts). */
  enqueued?(replica: number, request: PlantRequest, at: number): void;
  /** A prefill pass ended: computed tokens, its busy seconds, and the requests that finished their prompt in it. */
  prefillPass?(
    replica: number,
    pass: { readonly at: number; readonly seconds: number; readonly tokens: number; readonly finished: readonly PrefillDone[] },
  ): void;
  transfer?(transfer: {
    readonly from: number;
    readonly to: number;
    readonly start: number;
    readonly end: number;
    readonly bytes: number;
    readonly failed: boolean;
    readonly request: PlantRequest;
  }): void;
  /** `steps` equal decode steps ended at `at` (fast-forwarded when nothing joined or left in between). */
  decodeSteps?(
    replica: number,
    run: {
      readonly at: number;
      readonly steps: number;
      readonly stepSeconds: number;
      readonly sequences: number;
      readonly kvTokens: number;
      /** Prompt tokens computed beside the sequences in these steps (convertible decode). */
      readonly promptTokens: number;
    },
  ): void;
  /** The first token reached the user. */
  firstToken?(replica: number, request: PlantRequest, at: number, ttft: number): void;
  finished?(record: RequestRecord): void;
  phase?(replica: PlantReplica, at: number): void;
  gone?(replica: number, role: PlantRole, at: number): void;
}

export interface PrefillDone {
  readonly request: PlantRequest;
  readonly cachedTokens: number;
  readonly queueSeconds: number;
  readonly prefillSeconds: number;
}

export interface Plant {
  readonly now: number;
  /** Adds a request; its arrival must not lie before `now`. */
  submit(request: PlantRequest): void;
  /** Runs every event up to and including `time`. */
  advanceTo(time: number): void;
  /** Time of the next event, Infinity when idle. */
  nextEvent(): number;
  /** Desired replicas; starts (after lead time) or drains the difference. */
  scale(role: PlantRole, replicas: number): void;
  setLimits(limits: { readonly maxBatchedTokens?: number; readonly maxNumSeqs?: number }): void;
  /**
   * Up to `count` ready replicas of `from` drain and then serve in the other role without a lead time, on their GPUs;
   * both pools' desired counts move at once. Returns how many: none where the roles need different GPU counts.
   */
  switchRole(from: PlantRole, count: number): number;
  /** Sets what is named, leaves the rest as it is. */
  disturb(changes: Partial<Disturbance>): void;
  /** The replica is gone at once; its in-flight requests start over elsewhere. A replacement starts. */
  crash(replica: number): void;
  /** One replica more, named by its id, for who decides outside of the plant which replicas there are: it starts, whatever GPUs there are. */
  join(role: PlantRole): number;
  /** That one drains, and is wanted no more; one that is starting is gone at once. */
  leave(replica: number): void;
  /** As a crash, and nothing takes its place. */
  lose(replica: number): void;
  replicas(): readonly PlantReplica[];
  desired(role: PlantRole): number;
  unschedulable(role: PlantRole): number;
  /** Requests no replica of this role has taken yet: none is ready, or (decode) none has KV room. */
  unrouted(role: PlantRole): number;
  /** GPU seconds paid for so far (from the start of a replica until it is gone). */
  gpuSeconds(): number;
  inFlight(): number;
}
