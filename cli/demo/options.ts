/** `fulcrum demo` options as the command line gives them; durations in seconds. */
export interface DemoOptions {
  readonly trace?: string;
  /** Multiplies arrivals; the clock stays real. */
  readonly rate: number;
  readonly from: number;
  readonly duration?: number;
  readonly policy?: string;
  readonly profile?: string;
  readonly engine: "vllm" | "sglang";
  readonly port: number;
  readonly host: string;
  readonly json: boolean;
  readonly seed: number;
  /** Spans per request; without them latencies come from the engines' own histograms. */
  readonly spans: boolean;
  readonly runDir?: string;
}

/** A wrong invocation or input: said plainly on stderr, exit 2. */
export class DemoInputError extends Error {
  override readonly name = "DemoInputError";
}
