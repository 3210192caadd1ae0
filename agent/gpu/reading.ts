import type { GpmName } from "./fields.ts";

/** Figures of one GPU; a name that the driver did not give is missing, never 0. */
export type GpuFigure =
  | GpmName
  | "memoryUsedBytes"
  | "memoryTotalBytes"
  | "powerWatts"
  | "temperatureCelsius"
  | "memoryTemperatureCelsius"
  | "smClockHertz"
  | "memoryClockHertz";

/** One GPU, or one MIG instance of it, as its reader shows it at one moment. */
export interface GpuReading {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly figures: Partial<Record<GpuFigure, number>>;
  /** Cumulative, by reason. */
  readonly throttleSecondsByReason: Readonly<Record<string, number>>;
  /** Which reasons hold the clocks down at this moment, from readers that have no times for them. */
  readonly throttling?: Readonly<Record<string, boolean>>;
  /** Since the driver was loaded, by kind. */
  readonly eccErrors: Readonly<Record<string, number>>;
  readonly remappedRows?: RemappedRows;
  /** XID events since the reading before. */
  readonly xid: readonly { readonly xid: number; readonly count: number }[];
  readonly processes?: readonly GpuProcess[];
  /** Missing where the GPU knows no MIG. */
  readonly mig?: boolean;
  /** What part of a split GPU this is; `index` is then the whole GPU's. */
  readonly instance?: MigInstance;
  /** Whether there are counters of the multiprocessors, of memory and of the links: GPM of NVML, profiling of DCGM. */
  readonly gpm: boolean;
  /** What should have been there and why it is not, for people. */
  readonly problems: readonly string[];
}

export interface MigInstance {
  /** GPU instance id, unique within its GPU. */
  readonly id: number;
  /** UUID of the GPU it is a part of. */
  readonly parent: string;
  /** For example "1g.10gb". */
  readonly profile?: string;
  /** Its compute slices ÷ those of the whole GPU. */
  readonly share?: number;
}

export interface RemappedRows {
  readonly correctable?: number;
  readonly uncorrectable?: number;
  readonly pending?: boolean;
  readonly failed?: boolean;
}

export interface GpuProcess {
  readonly pid: number;
  readonly memoryBytes?: number;
  /** UID of the Kubernetes pod whose cgroup the process is in. */
  readonly podUid?: string;
}

export interface GpusReading {
  readonly driver: string;
  /** Those that could be read, and those that could not and sent XIDs all the same. */
  readonly gpus: readonly GpuReading[];
  /** GPUs that are installed and could not be read, with the reason. */
  readonly lost: readonly string[];
}
