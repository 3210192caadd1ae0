import { decodeTraces } from "../../core/otlp/protobuf.ts";
import { perCpuSecond } from "./cpu.ts";
import { otlpBatch } from "./otlp-batch.ts";

export interface OtlpFigures {
  readonly batchBytes: number;
  readonly spansPerCpuSecond: number;
  readonly megabytesPerCpuSecond: number;
  /** The same over the rate limit: spans are counted and not looked into. */
  readonly sampledOutPerCpuSecond: number;
}

const BATCH = 512;

/** Decoding batches as the SDK's exporter sends them: 512 vLLM request spans with every attribute. */
export async function measureOtlp(rounds: number): Promise<OtlpFigures> {
  const bytes = await otlpBatch(BATCH, "decode-0");
  // One batch takes 3 ms, too short for the clock of CPU time.
  const repeats = 40;
  const speed = (keep?: () => boolean): number =>
    perCpuSecond(
      BATCH * repeats,
      rounds,
      () => bytes,
      (batch) => {
        for (let i = 0; i < repeats; i++) {
          const decoded = decodeTraces(batch, undefined, keep);
          if (!decoded.ok || decoded.value.spans + decoded.value.sampledOut !== BATCH) throw new Error("the batch was not decoded");
        }
      },
    );
  const spansPerCpuSecond = speed();
  return {
    batchBytes: bytes.length,
    spansPerCpuSecond,
    megabytesPerCpuSecond: (spansPerCpuSecond / BATCH) * (bytes.length / 1e6),
    sampledOutPerCpuSecond: speed(() => false),
  };
}
