import type { EngineGauges, EngineUpdate, FirstTokenEvent, Leg, PassEvent, StepsEvent, TransferEvent } from "./engine/messages.ts";

/** Collects what happened on one replica until the next update to its process. */
export interface EngineFeed {
  pass(event: PassEvent): void;
  /** Kept by reference: first tokens told right after it take gaps away. */
  steps(run: DecodeRun): void;
  firstToken(event: FirstTokenEvent): void;
  transfer(event: TransferEvent): void;
  transferFailed(): void;
  preempted(): void;
  finished(leg: Leg): void;
  /** The update since the last one; undefined when nothing happened and the gauges are as they were. */
  take(gauges: EngineGauges): EngineUpdate | undefined;
}

/** Equal decode steps; `gaps` are the pauses between tokens in them: every token but the first ones ends one. */
export interface DecodeRun {
  readonly steps: number;
  readonly stepSeconds: number;
  readonly sequences: number;
  gaps: number;
}

interface Pending {
  passes: PassEvent[];
  steps: DecodeRun[];
  firstTokens: FirstTokenEvent[];
  transfers: TransferEvent[];
  transferFailures: number;
  preemptions: number;
  finished: Leg[];
}

const nothing = (): Pending => ({
  passes: [],
  steps: [],
  firstTokens: [],
  transfers: [],
  transferFailures: 0,
  preemptions: 0,
  finished: [],
});

export function createEngineFeed(): EngineFeed {
  let pending = nothing();
  let touched = false;
  let lastGauges = "";
  const touch = (): Pending => {
    touched = true;
    return pending;
  };
  return {
    pass: (event) => void touch().passes.push(event),
    steps: (run) => void touch().steps.push(run),
    firstToken: (event) => void touch().firstTokens.push(event),
    transfer: (event) => void touch().transfers.push(event),
    transferFailed: () => void (touch().transferFailures += 1),
    preempted: () => void (touch().preemptions += 1),
    finished: (leg) => void touch().finished.push(leg),
    take(gauges) {
      const text = JSON.stringify(gauges);
      if (!touched && text === lastGauges) return undefined;
      lastGauges = text;
      const taken = pending;
      pending = nothing();
      touched = false;
      const steps: StepsEvent[] = taken.steps.map((one) => [one.steps, one.stepSeconds, one.sequences, one.gaps]);
      return { type: "update", gauges, ...taken, steps };
    },
  };
}
