import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { type Result, err, ok } from "../../core/result.ts";

/** 512 vLLM spans are about 250 kB; 8 MiB leaves room for the largest batches SDKs can be set to. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

export interface Body {
  /** Decompressed. */
  readonly message: Buffer;
  /** As it came, when it came compressed. */
  readonly wire?: { readonly body: Buffer; readonly encoding: string };
}

export type BodyError = { readonly code: "too-large" | "unsupported-encoding" | "broken" | "broken-off"; readonly message: string };

const DECODERS = new Map([
  ["gzip", promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)],
  ["deflate", promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate)],
]);

/** Reads a request body whole and decompresses it. Both sizes are bounded: a bomb is refused at the limit, not after inflating it. */
export async function readBody(request: IncomingMessage, limit: number = MAX_BODY_BYTES): Promise<Result<Body, BodyError>> {
  const tooLarge = err({ code: "too-large", message: `the body is larger than ${limit} bytes` } as const);
  if (Number(request.headers["content-length"] ?? 0) > limit) return tooLarge;
  const encoding = (request.headers["content-encoding"] ?? "identity").toLowerCase();
  const decode = DECODERS.get(encoding);
  if (decode === undefined && encoding !== "identity")
    return err({ code: "unsupported-encoding", message: `content-encoding "${encoding}" is not supported; use gzip` });
  const wire = await readWire(request, limit);
  if (!wire.ok) return wire.error === "too-large" ? tooLarge : err({ code: "broken-off", message: wire.error });
  if (decode === undefined) return ok({ message: wire.value });
  try {
    const message = await decode(wire.value, { maxOutputLength: limit });
    return ok({ message, wire: { body: wire.value, encoding } });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") return tooLarge;
    return err({ code: "broken", message: `the body is not ${encoding}: ${explain(cause)}` });
  }
}

/** Listened to and not iterated over: an iterator makes a few promises for each chunk. */
function readWire(request: IncomingMessage, limit: number): Promise<Result<Buffer, string>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (result: Result<Buffer, string>): void => {
      request.off("data", hear).off("end", end).off("error", broken).off("close", cut);
      // Whatever still goes wrong with a request that was given up is nobody's concern, and must not end the process.
      request.on("error", () => undefined);
      resolve(result);
    };
    const hear = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      // Not destroyed: that would close the socket before the refusal is sent.
      request.pause();
      finish(err("too-large"));
    };
    const end = (): void => finish(ok(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)));
    const broken = (cause: unknown): void => finish(err(`the body could not be read: ${explain(cause)}`));
    const cut = (): void => broken(new Error("the connection was closed"));
    request.on("data", hear).on("end", end).on("error", broken).on("close", cut);
  });
}

/** Ten times the largest body taken, or so many seconds: beyond that the sender is not worth an answer. */
const DISCARD_BYTES = 10 * MAX_BODY_BYTES;
const DISCARD_SECONDS = 2;

/** Reads the rest of a refused body to nowhere, within limits. */
export function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.readableEnded || request.destroyed) return resolve();
    const timer = setTimeout(resolve, DISCARD_SECONDS * 1000);
    const finish = (): void => {
      clearTimeout(timer);
      resolve();
    };
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > DISCARD_BYTES) finish();
    });
    request.once("end", finish).once("close", finish).once("error", finish);
    request.resume();
  });
}

const explain = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
