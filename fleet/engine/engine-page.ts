import type { EngineStart, EngineUpdate } from "./messages.ts";

/** A page in one engine's dialect, fed with what happened on the replica. */
export interface EnginePage {
  apply(update: EngineUpdate): void;
  render(): string;
}

export interface PageContext {
  readonly start: EngineStart;
  readonly pid: number;
  /** Unix seconds when the process started. */
  readonly startedAt: number;
  /** CPU seconds the process has used, and its resident bytes. */
  readonly usage: () => { readonly cpuSeconds: number; readonly residentBytes: number };
}
