import type { TraceBatch } from "../../core/otlp/trace.ts";
import type { Forwarder } from "./forwarder.ts";
import type { SpanIntake } from "./span-intake.ts";

/** Where the receivers put what they received. */
export interface TraceSink {
  readonly intake: SpanIntake;
  readonly forward?: Forwarder;
  /** Told of a bug; the request it happened in fails and nothing else does. */
  onProblem(cause: unknown): void;
}

/** All spans of a request: those used, those over a limit and those left to the sample. */
export const spansOf = (batch: TraceBatch): number => batch.spans + batch.dropped + batch.sampledOut;
