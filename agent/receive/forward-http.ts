import http from "node:http";
import https from "node:https";
import { JSON_TYPE } from "./content-types.ts";
import { type Outcome, type Sender, rejectedSpans, rejectedSpansJson } from "./forward-outcome.ts";
import type { Parcel } from "./forward-queue.ts";

/** The specification's: 429, 502, 503 and 504 may be sent again; every other error means the same bytes will fail again. */
const RETRYABLE = new Set([429, 502, 503, 504]);
/** Default export timeout of OTLP exporters. */
const TIMEOUT = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/** Sends to an OTLP/HTTP endpoint: each body as it came, compressed or not, protobuf or JSON. */
export function createHttpSender(url: URL): Sender {
  const secure = url.protocol === "https:";
  const options = { keepAlive: true, maxSockets: 4 };
  const agent = secure ? new https.Agent(options) : new http.Agent(options);
  const post = (parcel: Parcel): Promise<Outcome> =>
    new Promise((resolve) => {
      const request = (secure ? https : http).request(url, { agent, method: "POST", headers: headersOf(parcel) });
      const timer = setTimeout(() => request.destroy(new Error(`no complete answer within ${TIMEOUT / 1000} s`)), TIMEOUT);
      const finish = (outcome: Outcome): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      // Whether the bytes arrived is not known; the specification has them sent again.
      request.on("error", (cause) => finish({ kind: "retry", error: explain(cause) }));
      request.on("response", (response) => {
        readAnswer(response).then(
          (answer) => finish(outcomeOf(response, answer)),
          (cause: unknown) => finish({ kind: "retry", error: explain(cause) }),
        );
      });
      request.end(parcel.body);
    });
  return { compressed: true, takes: () => true, send: post, close: () => agent.destroy() };
}

const headersOf = ({ body, contentType, contentEncoding }: Parcel): http.OutgoingHttpHeaders => ({
  "content-type": contentType,
  "content-length": body.length,
  ...(contentEncoding !== undefined && { "content-encoding": contentEncoding }),
});

async function readAnswer(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_ANSWER_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function outcomeOf(response: http.IncomingMessage, answer: Buffer): Outcome {
  const code = response.statusCode ?? 0;
  if (code >= 200 && code < 300) {
    const json = (response.headers["content-type"] ?? "").startsWith(JSON_TYPE);
    return { kind: "sent", rejected: json ? rejectedSpansJson(answer.toString("utf8")) : rejectedSpans(answer) };
  }
  const error = `answered HTTP ${code}`;
  if (!RETRYABLE.has(code)) return { kind: "refused", error };
  const after = retryAfter(response.headers["retry-after"], Date.now());
  return { kind: "retry", error, ...(after !== undefined && { after }) };
}

/** Retry-After: seconds, or a date. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}

const explain = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message === "" && "code" in cause ? String(cause.code) : cause.message;
};
