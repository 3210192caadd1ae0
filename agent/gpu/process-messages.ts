import type { NvmlReading } from "./reading.ts";

/** What the agent and its NVML process say to each other, as JSON over Node's IPC channel. */
export interface StartNvml {
  readonly type: "start";
  /** The driver library's name or path. */
  readonly library: string;
  /** Where process information is, "/proc" unless the host's is mounted elsewhere. */
  readonly proc: string;
}

export interface ReadGpus {
  readonly type: "read";
  readonly id: number;
}

export type ToNvmlProcess = StartNvml | ReadGpus;

/** Why NVML cannot be used at all; anything that may pass by itself is an error of one read instead. */
export type Unusable = "no-koffi" | "no-library" | "no-driver" | "no-gpu";

export type FromNvmlProcess =
  | { readonly type: "ready"; readonly driver: string; readonly gpus: number }
  | { readonly type: "unusable"; readonly code: Unusable; readonly message: string }
  | {
      readonly type: "reading";
      readonly id: number;
      readonly reading: NvmlReading;
      /** CPU time of the process so far. */
      readonly cpuSeconds: number;
      /** Resident memory that is this process's alone: what it adds to a node that runs an agent, whose program text it shares. */
      readonly privateBytes: number;
    }
  | { readonly type: "failed"; readonly id: number; readonly message: string };
