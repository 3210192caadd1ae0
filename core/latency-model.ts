import { seconds, type Bytes, type BytesPerSecond, type Seconds } from "./units.ts";

/**
 * Three-coefficient latency models of one replica (reference: fits of measured operator tables and of a
 * measured H200; prefill error about 2–5 %, decode about 2–5 %). All coefficients in seconds.
 */
export interface PrefillModel {
  /** Shortest forward pass. */
  readonly floor: number;
  readonly c0: number;
  /** Per computed token. */
  readonly c1: number;
  /** Per computed token and token of its prompt's length (attention). */
  readonly c2: number;
}

export interface DecodeModel {
  readonly d0: number;
  /** Per sequence in the batch. */
  readonly d1: number;
  /** Per resident KV token. */
  readonly d2: number;
}

export interface TransferModel {
  readonly latency: Seconds;
  readonly bytesPerSecond: BytesPerSecond;
}

/** Time of one prefill pass: t = max(floor, c0 + c1·ΣT) + c2·Σ(T·L), T computed tokens, L the prompt's length. */
export function prefillSeconds(m: PrefillModel, sumTokens: number, sumTokensTimesLength: number): Seconds {
  return seconds(Math.max(m.floor, m.c0 + m.c1 * sumTokens) + m.c2 * sumTokensTimesLength);
}

/** Time of one decode step: t = d0 + d1·B + d2·KV, B sequences, KV resident tokens. */
export function decodeSeconds(m: DecodeModel, sequences: number, kvTokens: number): Seconds {
  return seconds(m.d0 + m.d1 * sequences + m.d2 * kvTokens);
}

export function transferSeconds(m: TransferModel, bytes: Bytes): Seconds {
  return seconds(m.latency + bytes / m.bytesPerSecond);
}
