import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";
import { type Result, err, ok } from "../../core/result.ts";

/** 512 vLLM spans are about 250 kB; 8 MiB leaves room for the largest batches SDKs can be set to. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

export type BodyError = { readonly code: "too-large" | "unsupported-encoding" | "broken"; readonly message: string };

/** Reads a request body, decompressed, counting bytes as they come: a bomb is refused at the limit, not after inflating it. */
export async function readBody(request: IncomingMessage, limit: number = MAX_BODY_BYTES): Promise<Result<Buffer, BodyError>> {
  const tooLarge = err({ code: "too-large", message: `the body is larger than ${limit} bytes` } as const);
  if (Number(request.headers["content-length"] ?? 0) > limit) return tooLarge;
  const encoding = (request.headers["content-encoding"] ?? "identity").toLowerCase();
  const body = decoded(request, encoding);
  if (body === undefined)
    return err({ code: "unsupported-encoding", message: `content-encoding "${encoding}" is not supported; use gzip` });
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    // Not destroyed on leaving early: that would close the socket before the refusal is sent.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) return tooLarge;
      chunks.push(chunk);
    }
    return ok(Buffer.concat(chunks));
  } catch (cause) {
    return err({ code: "broken", message: `the body could not be read: ${cause instanceof Error ? cause.message : String(cause)}` });
  }
}

function decoded(request: IncomingMessage, encoding: string): Readable | undefined {
  if (encoding === "identity") return request;
  if (encoding !== "gzip" && encoding !== "deflate") return undefined;
  const inflate = encoding === "gzip" ? createGunzip() : createInflate();
  // pipe, not pipeline: on bad data pipeline would destroy the request, and with it the way to answer.
  request.on("error", (cause) => inflate.destroy(cause));
  return request.pipe(inflate);
}
