import http from "node:http";
import https from "node:https";
import { type Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Result, err, ok } from "../../core/result.ts";

export interface Page {
  readonly text: string;
  readonly format: "prometheus" | "openmetrics";
  /** Bytes that crossed the wire. */
  readonly bytes: number;
}

export interface PageFetcher {
  fetch(url: string): Promise<Result<Page, string>>;
  close(): void;
}

/**
 * Reads metric pages. One deadline covers connecting, waiting and reading, so a target that drips a byte a second cannot
 * hold a round; bytes are counted while they stream, after decompression, so neither a huge page nor a gzip bomb is ever
 * held in memory.
 */
export function createPageFetcher(timeout: number, maxBytes: number): PageFetcher {
  const options = { keepAlive: true, maxSockets: 1, scheduling: "lifo" } as const;
  const agents = { "http:": new http.Agent(options), "https:": new https.Agent(options) };

  const once = (url: URL): Promise<Attempt> =>
    new Promise((resolve) => {
      const secure = url.protocol === "https:";
      const request = (secure ? https : http).get(url, {
        agent: secure ? agents["https:"] : agents["http:"],
        headers: { accept: "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5", "accept-encoding": "gzip" },
      });
      const finish = (attempt: Attempt): void => {
        clearTimeout(timer);
        if (!attempt.result.ok) request.destroy();
        resolve(attempt);
      };
      const timer = setTimeout(() => finish(failed(`no complete answer within ${timeout} s`)), timeout * 1000);
      request.on("error", (cause) =>
        finish({ ...failed(explain(cause)), stale: request.reusedSocket && "code" in cause && cause.code === "ECONNRESET" }),
      );
      request.on("response", (response) => readPage(response, maxBytes, (result) => finish({ result, stale: false })));
    });

  return {
    async fetch(address) {
      const url = new URL(address);
      const first = await once(url);
      // The server closed an idle kept-alive connection at the moment it was used again: not a failure of the target.
      return first.stale ? (await once(url)).result : first.result;
    },
    close() {
      agents["http:"].destroy();
      agents["https:"].destroy();
    },
  };
}

interface Attempt {
  readonly result: Result<Page, string>;
  readonly stale: boolean;
}

const failed = (message: string): Attempt => ({ result: err(message), stale: false });

const explain = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause ? String(cause.code) : "";
  return cause.message === "" ? code : cause.message;
};

/** Calls back once, at the page's end or at the first thing wrong with it; what comes after that is not looked at. */
function readPage(response: http.IncomingMessage, maxBytes: number, done: (result: Result<Page, string>) => void): void {
  if (response.statusCode !== 200) return done(err(`answered HTTP ${response.statusCode ?? "?"}`));
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding !== "gzip" && encoding !== "identity")
    return done(err(`answered with content-encoding "${encoding}", which was not offered`));

  let wire = 0;
  let body: Readable = response;
  if (encoding === "gzip") {
    response.on("data", (chunk: Buffer) => (wire += chunk.length));
    // The reader of the last stream sees the error of any; the callback has nothing to add.
    body = pipeline(response, createGunzip(), () => undefined);
  }
  // Listened to and not iterated over: an iterator makes a few promises for each chunk.
  const chunks: Buffer[] = [];
  let size = 0;
  body.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBytes) return void chunks.push(chunk);
    body.destroy();
    done(err(`the page is larger than ${maxBytes} bytes (maxPageBytes)`));
  });
  body.on("error", (cause) => done(err(explain(cause))));
  body.on("end", () => {
    const openMetrics = (response.headers["content-type"] ?? "").startsWith("application/openmetrics-text");
    const [only] = chunks;
    const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size);
    done(
      ok({ text: bytes.toString("utf8"), format: openMetrics ? "openmetrics" : "prometheus", bytes: encoding === "gzip" ? wire : size }),
    );
  });
}
