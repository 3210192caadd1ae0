import type { GpusReading } from "./reading.ts";

/** What the agent and the process of one of its GPU readers say to each other, as JSON over Node's IPC channel. */
export interface StartNvml {
  readonly type: "start";
  /** The driver library's name or path. */
  readonly library: string;
  /** Where process information is, "/proc" unless the host's is mounted elsewhere. */
  readonly proc: string;
}

export interface StartDcgm extends StartNvml {
  /** Where nv-hostengine listens: a host, host:port, or the path of a socket. */
  readonly host: string;
  /** How often the host engine is to look, in seconds. */
  readonly interval: number;
}

export interface ReadGpus {
  readonly type: "read";
  readonly id: number;
}

export type ToReaderProcess = StartNvml | StartDcgm | ReadGpus;

/** Why a library cannot be used at all; anything that may pass within seconds is an error of one read instead. */
export type Unusable = "no-koffi" | "no-library" | "no-driver" | "no-gpu" | "no-host-engine" | "version";

/** Why a reader cannot be used here; nothing that waiting a second would mend. */
export class ReaderUnusable extends Error {
  readonly code: Unusable;

  constructor(code: Unusable, message: string) {
    super(message);
    this.name = "ReaderUnusable";
    this.code = code;
  }
}

export type FromReaderProcess =
  | { readonly type: "ready"; readonly driver: string; readonly gpus: number }
  | { readonly type: "unusable"; readonly code: Unusable; readonly message: string }
  | {
      readonly type: "reading";
      readonly id: number;
      readonly reading: GpusReading;
      /** CPU time of the process so far. */
      readonly cpuSeconds: number;
      /** Resident memory that is this process's alone: what it adds to a node that runs an agent, whose program text it shares. */
      readonly privateBytes: number;
    }
  | { readonly type: "failed"; readonly id: number; readonly message: string };
